-- purpose: what the words of the enums mean, for somebody who never saw them
-- grain: enum x value; reads: core.word; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    about,
    word,
    label,
    sentence
FROM core.word;
