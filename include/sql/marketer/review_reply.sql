-- purpose: note what a person has read in a reply: a stop, or none
-- grain: reply; returns its number (hashed) and when it came, or no row; writes: outbox.reply
-- parameters: reply_id; is_stop; at: when it was read
-- twice: a reply that was read keeps what was said of it first
UPDATE outbox.reply
SET
    reviewed_at = :at,
    meaning = CASE WHEN :is_stop THEN 'stop'::outbox.reply_meaning ELSE meaning END
WHERE
    reply_id = CAST(:reply_id AS bigint)
    AND meaning = 'unclear'
    AND reviewed_at IS NULL
RETURNING phone_hash, received_at;
