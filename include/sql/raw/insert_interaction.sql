-- Move a file's good rows from staging into raw: new keys, and new versions of known ones.
-- A key stands in one staged row: raw/key_rows and raw/merge_lines have seen to it.
-- Grain: source row, or order. Reads: staged. Writes: raw.interaction. Parameters: load_id, file_id, source,
-- as_of. Twice: what is there already, unchanged, stays as it is.
INSERT INTO raw.interaction (
    load_id, file_id, source, line, record_key, record_hash, dated_on, status, problems, record,
    contact_source,
    source_contact_id,
    kind,
    occurred_at,
    amount,
    currency,
    product_id,
    coupon_code
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
    staged.contact_source,
    staged.source_contact_id,
    staged.kind,
    staged.occurred_at,
    staged.amount,
    staged.currency,
    staged.product_id,
    staged.coupon_code
FROM staged
WHERE staged.reason IS NULL
ORDER BY staged.line
ON CONFLICT (source, record_key) WHERE status <> 'superseded' DO NOTHING;
