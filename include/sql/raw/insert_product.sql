-- Move a file's good rows from staging into raw: new keys, and new versions of known ones.
-- Of several rows with one key in a file the last counts. A product has no day: it never waits.
-- Grain: source row. Reads: staged. Writes: raw.product. Parameters: load_id, file_id, source,
-- as_of. Twice: what is there already, unchanged, stays as it is.
INSERT INTO raw.product (
    load_id, file_id, source, line, record_key, record_hash, dated_on, status, problems, record,
    source_product_id,
    name,
    category,
    url,
    image_url,
    price,
    currency,
    available
)
SELECT DISTINCT ON (staged.record_key)
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
    staged.source_product_id,
    staged.name,
    staged.category,
    staged.url,
    staged.image_url,
    staged.price,
    staged.currency,
    staged.available
FROM staged
WHERE staged.reason IS NULL
ORDER BY staged.record_key ASC, staged.line DESC
ON CONFLICT (source, record_key) WHERE status <> 'superseded' DO NOTHING;
