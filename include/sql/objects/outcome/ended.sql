-- How each closed episode ended, as the pages say it. An outcome `unreachable` is a doubt where the
-- texts had arrived that it takes: `unsure` is a word of pages alone.
-- Grain: episode with an outcome. Reads: outcome.contact_outcome, core.word.
CREATE OR REPLACE VIEW outcome.ended AS
SELECT
    ended.contact_id,
    ended.dormant_since,
    ended.arm,
    ended.outcome,
    coalesce(word.label, ended.word) AS label,
    word.sentence,
    ended.decided_on
FROM (
    SELECT
        contact_outcome.contact_id,
        contact_outcome.dormant_since,
        contact_outcome.arm,
        contact_outcome.outcome,
        contact_outcome.decided_on,
        CASE
            WHEN
                contact_outcome.outcome = 'unreachable'
                AND contact_outcome.if_unopened = 'unsubscribed'
                THEN 'unsure'
            ELSE CAST(contact_outcome.outcome AS text)
        END AS word
    FROM outcome.contact_outcome AS contact_outcome
) AS ended
LEFT JOIN core.word AS word
    ON word.about IN ('outcome.outcome', 'outcome.ending') AND ended.word = word.word;
