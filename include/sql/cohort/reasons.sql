-- Why contacts who were due were not written to, all days together, as the pages say it.
-- Grain: reason. Reads: cohort.decision, core.word. No parameters. Writes nothing.
SELECT
    coalesce(word.label, CAST(held.reason AS text)) AS reason,
    held.contacts
FROM (
    SELECT
        decision.reason,
        count(*) AS contacts
    FROM cohort.decision AS decision
    WHERE decision.action <> 'send'
    GROUP BY decision.reason
) AS held
LEFT JOIN core.word AS word
    ON word.about = 'cohort.reason' AND CAST(held.reason AS text) = word.word
ORDER BY held.reason;
