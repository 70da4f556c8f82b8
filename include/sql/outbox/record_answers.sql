-- Write down what the provider answered, message by message. An answer is written only over a claim
-- of the same bulk: whoever reconciled it meanwhile knows better.
-- Grain: message. Writes: outbox.message. Parameters: bulk_id, now, max_attempts, contact_ids,
-- message_ids, outcomes, provider_message_ids, codes, segments, prices, currencies.
-- Twice: the message is not `sending` any more.
UPDATE outbox.message AS message
SET
    status = CASE
        WHEN answer.outcome = 'accepted' THEN 'accepted'::outbox.message_status
        WHEN answer.outcome = 'rejected' THEN 'rejected'::outbox.message_status
        WHEN answer.outcome = 'unknown' THEN 'unknown'::outbox.message_status
        -- Surely not sent: once more, a few times.
        WHEN message.attempts < CAST(:max_attempts AS integer)
            THEN 'queued'::outbox.message_status
        ELSE 'rejected'::outbox.message_status
    END,
    status_at = :now,
    accepted_at
    = CASE WHEN answer.outcome = 'accepted' THEN :now ELSE message.accepted_at END,
    provider_message_id = answer.provider_message_id,
    error_code = CASE WHEN answer.outcome = 'accepted' THEN NULL ELSE answer.code END,
    segments = coalesce(answer.segments, message.segments),
    price = coalesce(answer.price, message.price),
    currency = coalesce(answer.currency, message.currency),
    claimed_by = CASE WHEN answer.outcome = 'unknown' THEN message.claimed_by END
FROM unnest(
    CAST(:contact_ids AS bigint []),
    CAST(:message_ids AS uuid []),
    CAST(:outcomes AS text []),
    CAST(:provider_message_ids AS text []),
    CAST(:codes AS text []),
    CAST(:segments AS integer []),
    CAST(:prices AS numeric []),
    CAST(:currencies AS text [])
) AS answer (
    contact_id, message_id, outcome, provider_message_id, code, segments, price, currency
)
WHERE
    message.contact_id = answer.contact_id
    AND message.message_id = answer.message_id
    AND message.bulk_id = :bulk_id
    AND message.status = 'sending';
