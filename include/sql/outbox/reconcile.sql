-- Settle a bulk in doubt by the provider's own log: what is in it was accepted, or refused; what is
-- absent from a log that has settled was not sent, and is queued again, a few times. Where the log
-- proves nothing any more the message becomes `unknown`, for good.
-- Grain: message; returns the new status of each. Writes: outbox.message. Parameters: bulk_id,
-- found_ids, refused_ids, refused_codes, is_settled, is_provable, max_attempts, now.
-- Twice: what is settled is not in doubt any more.
UPDATE outbox.message AS message
SET
    status = CASE
        WHEN message.message_id = ANY(CAST(:found_ids AS uuid[]))
            THEN 'accepted'::outbox.message_status
        WHEN message.message_id = ANY(CAST(:refused_ids AS uuid[]))
            THEN 'rejected'::outbox.message_status
        WHEN :is_provable AND message.attempts < CAST(:max_attempts AS integer)
            THEN 'queued'::outbox.message_status
        WHEN :is_provable THEN 'rejected'::outbox.message_status
        ELSE 'unknown'::outbox.message_status
    END,
    accepted_at = CASE
        WHEN message.message_id = ANY(CAST(:found_ids AS uuid[]))
            THEN coalesce(message.accepted_at, message.status_at)
        ELSE message.accepted_at
    END,
    error_code = CASE
        WHEN message.message_id = ANY(CAST(:found_ids AS uuid[])) THEN NULL
        WHEN message.message_id = ANY(CAST(:refused_ids AS uuid[]))
            THEN (
                SELECT min(refusal.code)
                FROM
                    unnest(CAST(:refused_ids AS uuid[]), CAST(:refused_codes AS text[]))
                        AS refusal (message_id, code)
                WHERE refusal.message_id = message.message_id
            )
        WHEN :is_provable THEN 'not_sent'
        ELSE 'unprovable'
    END,
    status_at = :now
WHERE
    message.bulk_id = :bulk_id
    AND message.status IN ('sending', 'unknown')
    AND (
        message.message_id = ANY(CAST(:found_ids AS uuid[]))
        OR message.message_id = ANY(CAST(:refused_ids AS uuid[]))
        OR :is_settled
    )
RETURNING message.status;
