-- Say how a load ended, and how long it took to take it into core on the wall's clock.
-- Grain: load. Writes: raw.load. Parameters: load_id, status, seconds. Twice: the same value.
UPDATE raw.load AS load
SET status = CAST(:status AS raw.load_status), core_seconds = CAST(:seconds AS double precision)
WHERE load.load_id = :load_id AND load.status <> 'loaded';
