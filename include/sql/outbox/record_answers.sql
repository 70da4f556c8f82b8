-- Write down what the provider answered, for messages of a bulk to which it said the same. An answer
-- is written only over a claim of the same bulk: whoever reconciled it meanwhile knows better.
-- Surely not sent is queued again, and was no attempt: an outage says nothing about the message, which
-- has its own end in not_after.
-- What is refused just now waits; what was refused in a row with many others waits behind the rest.
-- Grain: message. Writes: outbox.message. Parameters: bulk_id, now, outcome, code, segments, price
-- and currency (of the answer; NULL: not told), not_before and refused_at (of what is queued again;
-- NULL: as it was), contact_ids, message_ids, provider_message_ids.
-- Twice: the message is not `sending` any more.
UPDATE outbox.message AS message
SET
    status = CASE :outcome
        WHEN 'accepted' THEN 'accepted'::outbox.message_status
        WHEN 'rejected' THEN 'rejected'::outbox.message_status
        WHEN 'retry' THEN 'queued'::outbox.message_status
        ELSE 'unknown'::outbox.message_status
    END,
    attempts = message.attempts - CASE :outcome WHEN 'retry' THEN 1 ELSE 0 END,
    status_at = :now,
    not_before = coalesce(CAST(:not_before AS timestamptz), message.not_before),
    refused_at = CASE :outcome
        WHEN 'retry' THEN coalesce(CAST(:refused_at AS timestamptz), message.refused_at)
    END,
    accepted_at = CASE :outcome WHEN 'accepted' THEN :now ELSE message.accepted_at END,
    provider_message_id = answer.provider_message_id,
    error_code = CASE
        WHEN :outcome = 'accepted' THEN NULL
        -- It waits for that still.
        WHEN
            :outcome = 'retry'
            AND message.refused_at IS NOT NULL
            AND CAST(:refused_at AS timestamptz) IS NULL
            THEN message.error_code
        ELSE :code
    END,
    segments = coalesce(:segments, message.segments),
    price = coalesce(:price, message.price),
    currency = coalesce(:currency, message.currency),
    claimed_by
    = CASE WHEN :outcome NOT IN ('accepted', 'rejected', 'retry') THEN message.claimed_by END
FROM
    unnest(
        CAST(:contact_ids AS bigint[]),
        CAST(:message_ids AS uuid[]),
        CAST(:provider_message_ids AS text[])
    ) AS answer (contact_id, message_id, provider_message_id)
WHERE
    message.contact_id = answer.contact_id
    AND message.message_id = answer.message_id
    AND message.bulk_id = :bulk_id
    AND message.status = 'sending';
