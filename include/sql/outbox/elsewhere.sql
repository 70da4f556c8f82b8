-- Whose message lies farthest in the queue from those that were refused in a row: from its other end.
-- Grain: one contact, or none. Reads: outbox.message (by message_to_send). Parameters: now, senders,
-- sender. Writes nothing.
SELECT message.contact_id
FROM outbox.message AS message
WHERE
    message.status = 'queued'
    AND message.refused_at IS NULL
    AND message.not_before <= :now
    AND (
        CAST(:senders AS integer) = 1
        OR message.contact_id % CAST(:senders AS integer) = CAST(:sender AS integer)
    )
ORDER BY message.not_before DESC, message.not_after DESC, message.contact_id DESC
LIMIT 1;
