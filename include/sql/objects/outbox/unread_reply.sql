-- Replies that a person has to read: they are not plainly something else than a stop, and hold the
-- number until they are read. Ask by every hash of the number.
-- Grain: reply. Reads: outbox.reply.
CREATE OR REPLACE VIEW outbox.unread_reply AS
SELECT
    reply.reply_id,
    reply.phone_hash,
    reply.received_at
FROM outbox.reply AS reply
WHERE reply.meaning = 'unclear' AND reply.reviewed_at IS NULL;
