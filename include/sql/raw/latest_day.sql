-- The latest as_of of a source's loads, finished or not.
-- Grain: one row. Reads: raw.load. Parameters: source, entity. Writes nothing.
SELECT max(load.as_of)
FROM raw.load AS load
WHERE load.source = :source AND load.entity = :entity;
