-- Each file as it was when it was last read.
-- Grain: source × path. Reads: raw.file. No parameters. Writes nothing.
SELECT DISTINCT ON (file.source, file.path)
    file.source,
    file.path,
    file.size_bytes,
    file.modified_at
FROM raw.file AS file
ORDER BY file.source ASC, file.path ASC, file.file_id DESC;
