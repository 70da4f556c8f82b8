-- Say in words what a load came to, and how long it took on the wall's clock.
-- Grain: load. Writes: raw.load. Parameters: load_id, problem, message, seconds. Twice: the same words.
-- A load with a problem is stopped: the next one takes its rows over.
UPDATE raw.load AS load
SET
    problem = CAST(:problem AS text),
    message = :message,
    raw_seconds = :seconds,
    status = CASE
        WHEN CAST(:problem AS text) IS NULL THEN load.status ELSE 'stopped'::raw.load_status
    END
WHERE load.load_id = :load_id AND load.status <> 'loaded';
