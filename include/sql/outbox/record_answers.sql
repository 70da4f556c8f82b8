-- Write down what the provider answered, message by message. An answer is written only over a claim
-- of the same bulk: whoever reconciled it meanwhile knows better.
-- Surely not sent is queued again, and was no attempt: an outage says nothing about the message, which
-- has its own end in not_after.
-- Grain: message. Writes: outbox.message. Parameters: bulk_id, now, contact_ids, message_ids,
-- outcomes, provider_message_ids, codes, segments, prices, currencies.
-- Twice: the message is not `sending` any more.
UPDATE outbox.message AS message
SET
    status = CASE
        WHEN answer.outcome = 'accepted' THEN 'accepted'::outbox.message_status
        WHEN answer.outcome = 'rejected' THEN 'rejected'::outbox.message_status
        WHEN answer.outcome = 'retry' THEN 'queued'::outbox.message_status
        ELSE 'unknown'::outbox.message_status
    END,
    attempts = message.attempts - CASE WHEN answer.outcome = 'retry' THEN 1 ELSE 0 END,
    status_at = :now,
    accepted_at
    = CASE WHEN answer.outcome = 'accepted' THEN :now ELSE message.accepted_at END,
    provider_message_id = answer.provider_message_id,
    error_code = CASE WHEN answer.outcome = 'accepted' THEN NULL ELSE answer.code END,
    segments = coalesce(answer.segments, message.segments),
    price = coalesce(answer.price, message.price),
    currency = coalesce(answer.currency, message.currency),
    claimed_by
    = CASE
        WHEN answer.outcome NOT IN ('accepted', 'rejected', 'retry') THEN message.claimed_by
    END
FROM
    unnest(
        CAST(:contact_ids AS bigint[]),
        CAST(:message_ids AS uuid[]),
        CAST(:outcomes AS text[]),
        CAST(:provider_message_ids AS text[]),
        CAST(:codes AS text[]),
        CAST(:segments AS integer[]),
        CAST(:prices AS numeric[]),
        CAST(:currencies AS text[])
    )
        AS answer (
            contact_id, message_id, outcome, provider_message_id, code, segments, price, currency
        )
WHERE
    message.contact_id = answer.contact_id
    AND message.message_id = answer.message_id
    AND message.bulk_id = :bulk_id
    AND message.status = 'sending';
