-- How the episodes that are over ended, as the pages say it.
-- Grain: outcome. Reads: outcome.contact_outcome, core.word. No parameters. Writes nothing.
SELECT
    coalesce(word.label, CAST(ended.outcome AS text)) AS outcome,
    ended.contacts
FROM (
    SELECT
        contact_outcome.outcome,
        count(*) AS contacts
    FROM outcome.contact_outcome AS contact_outcome
    GROUP BY contact_outcome.outcome
) AS ended
LEFT JOIN core.word AS word
    ON word.about = 'outcome.outcome' AND CAST(ended.outcome AS text) = word.word
ORDER BY ended.outcome;
