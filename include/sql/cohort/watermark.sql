-- Up to where the last decided day has seen the loads, and when it was decided.
-- Grain: one row. Reads: cohort.day. No parameters. Writes nothing.
SELECT
    coalesce(max(day.last_load_id), 0) AS last_load_id,
    max(day.decided_at) AS decided_at
FROM cohort.day AS day;
