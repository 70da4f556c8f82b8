-- How many contacts are dormant: their episode is open, and they have not come back.
-- Grain: one row. Reads: cohort.episode (by episode_open). No parameters. Writes nothing.
SELECT count(*) AS contacts
FROM cohort.episode AS episode
WHERE episode.closed_on IS NULL AND episode.returned_on IS NULL;
