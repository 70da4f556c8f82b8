-- Let what is given back under an order's own id wait for its day under a key of its own: until then
-- the order stands. One that waits, and that its file does not tell any more, is put aside.
-- Grain: staged row. Reads: raw.file. Writes: staged, raw.interaction. Parameters: load_id, source,
-- path, as_of. Twice: a key that is put off has no amount to give back twice.
UPDATE staged
SET record_key = raw.refund_key(staged.record_key)
WHERE
    staged.reason IS NULL
    AND staged.amount < 0
    AND staged.dated_on > CAST(:as_of AS date)
    AND raw.refunded_key(staged.record_key) IS NULL;

UPDATE raw.interaction AS refund
SET status = 'superseded', superseded_by = :load_id, stood_as = refund.status
FROM staged, raw.file AS file
WHERE
    refund.source = :source
    AND refund.record_key = raw.refund_key(staged.record_key)
    AND refund.status = 'waiting'
    AND file.file_id = refund.file_id
    AND file.path = :path
    AND NOT EXISTS (
        SELECT 1
        FROM staged AS again
        WHERE again.record_key = raw.refund_key(staged.record_key)
    );
