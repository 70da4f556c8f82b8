-- Say what of a source a load has asked for, and how far it has come.
-- Grain: one row. Writes: raw.load. Parameters: load_id, reads_from, reads_to, cursor_before,
-- cursor_after. Twice: the same values.
UPDATE raw.load AS load
SET
    reads_from = :reads_from,
    reads_to = :reads_to,
    cursor_before = :cursor_before,
    cursor_after = :cursor_after
WHERE load.load_id = :load_id;
