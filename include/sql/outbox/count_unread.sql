-- Take the replies for stops that nobody has read in time. A person may still say that one was none.
-- Grain: reply. Writes: outbox.reply. Parameters: received_until: the latest that have had their time;
-- at: when. Twice: what is counted is not unclear any more.
UPDATE outbox.reply
SET meaning = 'stop', counted_at = CAST(:at AS timestamptz)
WHERE
    meaning = 'unclear'
    AND reviewed_at IS NULL
    AND received_at <= CAST(:received_until AS timestamptz);
