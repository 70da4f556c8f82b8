-- Where the journey stands: the latest decided day, and what is loaded.
-- Grain: one row. Reads: cohort.day, raw.load. Parameters: as_of. Writes nothing.
SELECT
    (SELECT max(day.as_of) FROM cohort.day AS day) AS latest_decided,
    EXISTS (SELECT 1 FROM cohort.day AS day WHERE day.as_of = :as_of) AS is_decided,
    (
        SELECT coalesce(max(day.last_load_id), 0) FROM cohort.day AS day
    ) AS last_load_id,
    (
        SELECT max(load.as_of) FROM raw.load AS load WHERE load.status = 'loaded'
    ) AS loaded_through,
    (SELECT coalesce(max(load.load_id), 0) FROM raw.load AS load WHERE load.status = 'loaded')
        AS newest_load_id;
