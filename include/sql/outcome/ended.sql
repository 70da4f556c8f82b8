-- How the episodes that are over ended.
-- Grain: outcome. Reads: outcome.contact_outcome. No parameters. Writes nothing.
SELECT
    contact_outcome.outcome,
    count(*) AS contacts
FROM outcome.contact_outcome AS contact_outcome
GROUP BY contact_outcome.outcome
ORDER BY contact_outcome.outcome;
