-- purpose: what each gate said of a day
-- grain: gate; reads: cohort.gate (by its key); writes: nothing
-- parameters: day (date, brand's zone)
-- twice: it only reads
SELECT
    gate,
    is_open,
    said,
    judged_at
FROM cohort.gate
WHERE as_of = cast(:day AS date)
ORDER BY judged_at, gate;
