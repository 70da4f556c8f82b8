-- On how many days something went out, since a day.
-- Grain: one row. Reads: cohort.day. Parameters: since (null: ever). Writes nothing.
SELECT count(*) AS days
FROM cohort.day AS day
WHERE
    day.released_at IS NOT NULL
    AND day.sends > 0
    AND day.as_of >= coalesce(CAST(:since AS date), '-infinity');
