-- Move a file's good rows from staging into raw: new keys, and new versions of known ones.
-- Of several rows with one key in a file the last counts.
-- Grain: source row. Reads: staged. Writes: raw.contact. Parameters: load_id, file_id, source,
-- as_of. Twice: what is there already, unchanged, stays as it is.
INSERT INTO raw.contact (
    load_id, file_id, source, line, record_key, record_hash, dated_on, status, problems, record,
    source_contact_id,
    phone,
    phone_hash,
    phone_kind,
    email,
    first_name,
    last_name,
    language,
    country,
    time_zone,
    lifecycle_class,
    created_on,
    loyalty_card_id,
    shop_account_id
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
    staged.source_contact_id,
    staged.phone,
    staged.phone_hash,
    staged.phone_kind,
    staged.email,
    staged.first_name,
    staged.last_name,
    staged.language,
    staged.country,
    staged.time_zone,
    staged.lifecycle_class,
    staged.created_on,
    staged.loyalty_card_id,
    staged.shop_account_id
FROM staged
WHERE staged.reason IS NULL
ORDER BY staged.record_key ASC, staged.line DESC
ON CONFLICT (source, record_key) WHERE status <> 'superseded' DO NOTHING;
