-- How many were written to on the last day before this one that went out.
-- Grain: step. Reads: cohort.day, cohort.decision (by decision_by_day). Parameters: as_of.
-- Writes nothing.
SELECT
    decision.as_of,
    decision.step,
    count(*) AS contacts
FROM cohort.decision AS decision
WHERE
    decision.as_of = (
        SELECT max(day.as_of)
        FROM cohort.day AS day
        WHERE day.as_of < :as_of AND day.released_at IS NOT NULL
    )
    AND decision.action = 'send'
GROUP BY decision.as_of, decision.step;
