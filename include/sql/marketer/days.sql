-- purpose: the days that were decided, latest first, for the page's day picker
-- grain: day; reads: cohort.day; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    as_of,
    policy_version,
    decided_at
FROM cohort.day
ORDER BY as_of DESC;
