-- The sources that were ever loaded.
-- Grain: source. Reads: raw.load. No parameters. Writes nothing.
SELECT DISTINCT load.source
FROM raw.load AS load
ORDER BY load.source;
