-- What was decided on a day, in the order in which the reasons are checked.
-- Grain: step × action × reason. Reads: cohort.decision (by decision_by_day). Parameters: as_of.
-- Writes nothing.
SELECT
    decision.step,
    decision.action,
    decision.reason,
    count(*) AS contacts
FROM cohort.decision AS decision
WHERE decision.as_of = :as_of
GROUP BY decision.step, decision.action, decision.reason
ORDER BY decision.reason, decision.action, decision.step;
