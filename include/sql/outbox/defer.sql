-- Give claimed messages back whose recipients are in their quiet hours by now. They were not sent.
-- Grain: message. Writes: outbox.message. Parameters: bulk_id, contact_ids, message_ids,
-- not_befores, now. Twice: the message is not `sending` any more.
UPDATE outbox.message AS message
SET
    status = 'queued',
    status_at = :now,
    not_before = deferred.not_before,
    attempts = message.attempts - 1,
    claimed_by = NULL
FROM
    unnest(
        CAST(:contact_ids AS bigint[]),
        CAST(:message_ids AS uuid[]),
        CAST(:not_befores AS timestamptz[])
    ) AS deferred (contact_id, message_id, not_before)
WHERE
    message.contact_id = deferred.contact_id
    AND message.message_id = deferred.message_id
    AND message.bulk_id = :bulk_id
    AND message.status = 'sending';
