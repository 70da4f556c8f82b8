-- purpose: how the quiet spells that are over ended, by arm
-- grain: outcome; reads: outcome.contact_outcome; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    outcome,
    count(*) FILTER (WHERE arm = 'treatment') AS treatment,
    count(*) FILTER (WHERE arm = 'control') AS control,
    count(*) FILTER (WHERE arm IS NULL) AS no_arm,
    count(*) AS contacts
FROM outcome.contact_outcome
GROUP BY outcome
ORDER BY outcome;
