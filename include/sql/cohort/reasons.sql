-- Why contacts who were due were not written to, all days together.
-- Grain: reason. Reads: cohort.decision. No parameters. Writes nothing.
SELECT
    decision.reason,
    count(*) AS contacts
FROM cohort.decision AS decision
WHERE decision.action <> 'send'
GROUP BY decision.reason
ORDER BY decision.reason;
