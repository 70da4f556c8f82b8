-- Say how a load ended.
-- Grain: load. Writes: raw.load. Parameters: load_id, status. Twice: the same value.
UPDATE raw.load AS load
SET status = CAST(:status AS raw.load_status)
WHERE load.load_id = :load_id AND load.status <> 'loaded';
