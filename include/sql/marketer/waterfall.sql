-- purpose: how many contacts were due on a day, and what was decided for them, in the order in
--          which the reasons are checked
-- grain: step x reason x action; reads: cohort.decision (by decision_by_day); writes: nothing
-- parameters: day (date, brand's zone)
-- twice: it only reads
SELECT
    step,
    action,
    reason,
    count(*) AS contacts
FROM cohort.decision
WHERE as_of = cast(:day AS date)
GROUP BY step, action, reason
ORDER BY reason, action, step;
