-- How a load stands; the row stays locked until the transaction ends.
-- Grain: one row. Reads: raw.load. Parameters: load_id.
SELECT load.status
FROM raw.load AS load
WHERE load.load_id = :load_id
FOR UPDATE;
