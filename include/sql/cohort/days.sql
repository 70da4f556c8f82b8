-- The days that are decided.
-- Grain: day. Reads: cohort.day. No parameters. Writes nothing.
SELECT day.as_of
FROM cohort.day AS day
ORDER BY day.as_of;
