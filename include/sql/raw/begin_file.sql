-- Begin to read a file: its file_id, in the transaction that loads it.
-- Grain: one row. Writes: raw.file. Parameters: load_id, source, path, size_bytes, modified_at,
-- mapping_hash, reads_from, reads_to. Twice: another row; only a complete one counts as read.
INSERT INTO raw.file (
    load_id, source, path, size_bytes, modified_at, mapping_hash, reads_from, reads_to
)
VALUES (
    :load_id, :source, :path, :size_bytes, :modified_at, :mapping_hash, :reads_from, :reads_to
)
RETURNING file_id;
