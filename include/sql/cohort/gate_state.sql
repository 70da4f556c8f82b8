-- How far a decided day has come.
-- Grain: one row, or none for a day that is not decided. Reads: cohort.day. Parameters: as_of.
-- Writes nothing.
SELECT
    day.sends,
    day.released_at,
    day.stopped_by
FROM cohort.day AS day
WHERE day.as_of = :as_of;
