-- Earlier days of which drafts are left.
-- Grain: day. Reads: outbox.message (by message_draft). Parameters: as_of. Writes nothing.
SELECT DISTINCT message.as_of
FROM outbox.message AS message
WHERE message.status = 'draft' AND message.as_of < :as_of
ORDER BY message.as_of;
