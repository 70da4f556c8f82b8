-- Earlier days that were decided, and neither let go nor stopped.
-- Grain: day. Reads: cohort.day. Parameters: as_of. Writes nothing.
SELECT day.as_of
FROM cohort.day AS day
WHERE day.as_of < :as_of AND day.released_at IS NULL AND day.stopped_by IS NULL
ORDER BY day.as_of;
