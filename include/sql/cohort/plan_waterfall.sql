-- What was decided on a day, in the order in which the reasons are checked.
-- Grain: step × action × reason; label: the reason as the pages say it. Reads: cohort.decision (by
-- decision_by_day), core.word. Parameters: as_of.
-- Writes nothing.
SELECT
    decision.step,
    decision.action,
    decision.reason,
    coalesce(word.label, CAST(decision.reason AS text)) AS label,
    count(*) AS contacts
FROM cohort.decision AS decision
LEFT JOIN core.word AS word
    ON word.about = 'cohort.reason' AND CAST(decision.reason AS text) = word.word
WHERE decision.as_of = :as_of
GROUP BY decision.step, decision.action, decision.reason, word.label
ORDER BY decision.reason, decision.action, decision.step;
