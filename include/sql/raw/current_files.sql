-- As each file was read last, whoever read it: what a mended file said before counts no more.
-- Grain: path, its file_id. Reads: raw.file, raw.load. Parameters: source, entity, paths, load_id.
-- Writes nothing.
SELECT DISTINCT ON (file.path) file.file_id
FROM raw.file AS file
INNER JOIN raw.load AS load ON file.load_id = load.load_id
WHERE
    file.source = :source
    AND file.path = ANY(CAST(:paths AS text[]))
    AND load.entity = :entity
    AND file.load_id <= :load_id
ORDER BY file.path ASC, file.file_id DESC;
