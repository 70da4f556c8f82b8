-- The day of what was put off has come (raw/put_off_refunds): it takes the place of the order under
-- whose id it was told, as it would have on that day.
-- Grain: source row. Reads and writes: raw.interaction. Parameters: load_id, source, as_of.
-- Twice: nothing is put off any more.
UPDATE raw.interaction AS bought
SET status = 'superseded', superseded_by = :load_id, stood_as = bought.status
FROM raw.interaction AS refund
WHERE
    refund.source = :source
    AND refund.status = 'waiting'
    AND refund.dated_on <= CAST(:as_of AS date)
    AND bought.source = :source
    AND bought.record_key = raw.refunded_key(refund.record_key)
    AND bought.status <> 'superseded';

UPDATE raw.interaction AS refund
SET record_key = raw.refunded_key(refund.record_key)
WHERE
    refund.source = :source
    AND refund.status = 'waiting'
    AND refund.dated_on <= CAST(:as_of AS date)
    AND raw.refunded_key(refund.record_key) IS NOT NULL;
