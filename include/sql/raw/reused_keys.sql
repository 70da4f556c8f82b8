-- How many orders of a load stand under an id that another customer's order of another day had, which
-- they have replaced: a till's number that begins anew is no order's id.
-- Grain: one row. Reads: raw.interaction. Parameters: load_id, source. Writes nothing.
SELECT count(DISTINCT current.record_key) AS orders
FROM raw.interaction AS old
INNER JOIN raw.interaction AS current
    ON
        old.source = current.source
        AND old.record_key = current.record_key
        AND current.status <> 'superseded'
WHERE
    old.superseded_by = :load_id
    AND old.source = :source
    AND old.contact_source = current.contact_source
    AND old.source_contact_id <> current.source_contact_id
    AND old.dated_on <> current.dated_on
    -- By one mapping: another one may read another column.
    AND left(old.record_hash, 8) = left(current.record_hash, 8);
