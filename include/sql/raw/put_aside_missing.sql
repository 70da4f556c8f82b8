-- Put aside what a source has no more: deleted there, or, where it was read by another mapping, not
-- said under this one.
-- Grain: source row. Reads: the temporary table missing. Writes: raw.entity. Parameters: load_id,
-- source. Twice: a superseded row is not looked at again.
UPDATE raw.entity AS old
SET
    status = 'superseded',
    superseded_by = :load_id,
    stood_as = old.status,
    is_deleted = NOT missing.is_unlike
FROM missing
WHERE
    old.source = :source
    AND old.record_key = missing.record_key
    AND old.status <> 'superseded';
