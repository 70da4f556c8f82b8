-- purpose: how many contacts are behind a cell of the day's table
-- grain: one row; reads: cohort.decision (by decision_by_day); writes: nothing
-- parameters: day (date, brand's zone); step, action, reason (null: any)
-- twice: it only reads
SELECT count(*) AS contacts
FROM cohort.decision
WHERE
    as_of = cast(:day AS date)
    AND (cast(:step AS text) IS NULL OR step = cast(:step AS text))
    AND (cast(:action AS cohort.action) IS NULL OR action = cast(:action AS cohort.action))
    AND (cast(:reason AS cohort.reason) IS NULL OR reason = cast(:reason AS cohort.reason));
