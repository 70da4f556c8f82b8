-- The codes with which many in a row were refused when a run ended, of what is due again by now.
-- Grain: code. Reads: outbox.message (by message_refused). Parameters: now, senders, sender. Writes
-- nothing.
SELECT DISTINCT message.error_code
FROM outbox.message AS message
WHERE
    message.status = 'queued'
    AND message.refused_at IS NOT NULL
    AND message.not_before <= :now
    AND (
        CAST(:senders AS integer) = 1
        OR message.contact_id % CAST(:senders AS integer) = CAST(:sender AS integer)
    )
ORDER BY message.error_code;
