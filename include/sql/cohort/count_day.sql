-- What was decided on a day.
-- Grain: step × action × reason. Reads: cohort.decision. Parameters: as_of. Writes nothing.
SELECT
    decision.step,
    decision.action,
    decision.reason,
    count(*) AS contacts
FROM cohort.decision AS decision
WHERE decision.as_of = :as_of
GROUP BY decision.step, decision.action, decision.reason
ORDER BY min(decision.inactive_days), decision.reason;
