-- purpose: the days that were decided, latest first, for the page's day picker, and whether each was
--          let go or stopped
-- grain: day; reads: cohort.day; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    as_of,
    sends,
    released_at,
    stopped_by
FROM cohort.day
ORDER BY as_of DESC;
