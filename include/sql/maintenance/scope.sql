-- What an audit compares with: how the derived columns were made, and up to which load the last
-- decided day has followed.
-- Grain: one row. Reads: core.derived_from, cohort.day. No parameters. Writes nothing.
SELECT
    (SELECT derived.value FROM core.derived_from AS derived WHERE derived.name = 'signals') AS signals,
    (SELECT derived.value FROM core.derived_from AS derived WHERE derived.name = 'ladder') AS ladder,
    coalesce(max(day.last_load_id), 0) AS last_load_id,
    max(day.decided_at) AS decided_at
FROM cohort.day AS day;
