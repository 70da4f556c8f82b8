-- Move a file's good rows from staging into raw: new keys, and new versions of known ones.
-- Of several rows with one key in a file the last counts: it comes first, and the others find the key
-- taken. A product has no day: it never waits.
-- Grain: source row, or order. Reads: staged. Writes: raw.entity. Parameters: load_id, file_id, source,
-- as_of; the entity's own columns. Twice: what is there already, unchanged, stays as it is.
INSERT INTO raw.entity (
    load_id, file_id, source, line, record_key, record_hash, dated_on, status, problems, record,
    entity_columns
)
SELECT
    :load_id,
    :file_id,
    :source,
    staged.line,
    staged.record_key,
    staged.record_hash,
    staged.dated_on,
    CAST(
        CASE
            WHEN staged.is_excluded THEN 'excluded'
            WHEN staged.dated_on > CAST(:as_of AS date) THEN 'waiting'
            ELSE 'loaded'
        END AS raw.row_status
    ) AS status,
    staged.problems,
    staged.record,
    staged.entity_columns
FROM staged
WHERE staged.reason IS NULL
ORDER BY staged.line DESC
ON CONFLICT (source, record_key) WHERE status <> 'superseded' DO NOTHING;
