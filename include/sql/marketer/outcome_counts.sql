-- purpose: how the quiet spells that are over ended, by arm
-- grain: ending; reads: outcome.ended; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    label,
    sentence,
    count(*) FILTER (WHERE arm = 'treatment') AS treatment,
    count(*) FILTER (WHERE arm = 'control') AS control,
    count(*) FILTER (WHERE arm IS NULL) AS no_arm,
    count(*) AS contacts
FROM outcome.ended
GROUP BY outcome, label, sentence
ORDER BY outcome, label;
