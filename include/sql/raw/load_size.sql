-- How many rows a load has for core.
-- Grain: one row. Reads: raw.load. Parameters: load_id. Writes nothing.
SELECT load.rows_loaded
FROM raw.load AS load
WHERE load.load_id = :load_id;
