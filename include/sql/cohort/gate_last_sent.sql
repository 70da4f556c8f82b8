-- The last day before a day that went out.
-- Grain: one row. Reads: cohort.day. Parameters: as_of. Writes nothing.
SELECT max(gone.as_of) AS as_of
FROM cohort.day AS gone
WHERE gone.as_of < :as_of AND gone.released_at IS NOT NULL AND gone.sends > 0;
