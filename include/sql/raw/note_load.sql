-- Say in words what a load came to.
-- Grain: load. Writes: raw.load. Parameters: load_id, problem, message. Twice: the same words.
-- A load with a problem is stopped: the next one takes its rows over.
UPDATE raw.load AS load
SET
    problem = CAST(:problem AS text),
    message = :message,
    status = CASE
        WHEN CAST(:problem AS text) IS NULL THEN load.status ELSE 'stopped'::raw.load_status
    END
WHERE load.load_id = :load_id AND load.status <> 'loaded';
