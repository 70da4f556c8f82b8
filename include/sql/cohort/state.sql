-- Where the journey stands: the latest decided day, and what is loaded.
-- seen_load_id: the loads up to it are in core. One that is still on its way (and not taken over by
-- a later one of its source) stays ahead of it, or the next day would never look at what it brings;
-- after a week it is given up.
-- Grain: one row. Reads: cohort.day, raw.load. Parameters: as_of. Writes nothing.
SELECT
    (SELECT max(day.as_of) FROM cohort.day AS day) AS latest_decided,
    EXISTS(SELECT 1 FROM cohort.day AS day WHERE day.as_of = :as_of) AS is_decided,
    (SELECT max(load.as_of) FROM raw.load AS load WHERE load.status = 'loaded') AS loaded_through,
    least(
        (SELECT coalesce(max(load.load_id), 0) FROM raw.load AS load WHERE load.status = 'loaded'),
        (
            SELECT min(load.load_id) - 1
            FROM raw.load AS load
            WHERE
                load.status <> 'loaded'
                AND load.as_of > CAST(:as_of AS date) - 7
                AND NOT EXISTS (
                    SELECT 1
                    FROM raw.load AS later
                    WHERE
                        later.source = load.source
                        AND later.entity = load.entity
                        AND later.load_id > load.load_id
                )
        )
    ) AS seen_load_id;
