-- The gates of a day are passed.
-- Grain: day. Writes: cohort.day. Parameters: as_of, at. Twice: the first time stands.
UPDATE cohort.day AS day
SET released_at = :at
WHERE day.as_of = :as_of AND day.released_at IS NULL AND day.stopped_by IS NULL;
