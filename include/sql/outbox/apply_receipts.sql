-- Map the receipts that are new onto their messages. A success never overwrites a failure: another
-- segment may have failed. A number that is bad for good is suppressed. Receipts of messages that
-- nobody knows are kept, unapplied to anything.
-- Grain: message. Reads: outbox.receipt. Writes: outbox.message, core.suppression, outbox.receipt.
-- Parameters: at, channel. Twice: an applied receipt is not looked at again.
WITH latest AS (
    SELECT DISTINCT ON (receipt.message_id)
        receipt.message_id,
        receipt.status,
        receipt.raw_code,
        receipt.segments,
        receipt.price,
        receipt.currency,
        receipt.occurred_at
    FROM outbox.receipt AS receipt
    WHERE receipt.applied_at IS NULL
    ORDER BY receipt.message_id ASC, receipt.status <> 'delivered' DESC, receipt.occurred_at DESC
)

UPDATE outbox.message AS message
SET
    status = latest.status,
    status_at = latest.occurred_at,
    delivered_at
    = CASE WHEN latest.status = 'delivered' THEN latest.occurred_at ELSE message.delivered_at END,
    error_code = CASE WHEN latest.status = 'delivered' THEN NULL ELSE latest.raw_code END,
    segments = coalesce(latest.segments, message.segments),
    price = coalesce(latest.price, message.price),
    currency = coalesce(latest.currency, message.currency)
FROM latest
WHERE
    message.message_id = CASE
        WHEN latest.message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            THEN CAST(latest.message_id AS uuid)
    END
    AND message.status IN ('accepted', 'sending', 'unknown', 'delivered')
    AND NOT (message.status = 'delivered' AND latest.status = 'delivered');

INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT DISTINCT ON (message.contact_id)
    message.contact_id,
    message.phone_hash,
    :channel,
    'hard_bounce'::core.suppression_reason,
    'receipt',
    receipt.occurred_at
FROM outbox.receipt AS receipt
INNER JOIN outbox.message AS message
    ON message.message_id = CASE
        WHEN receipt.message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            THEN CAST(receipt.message_id AS uuid)
    END
WHERE receipt.applied_at IS NULL AND receipt.is_permanent
ORDER BY message.contact_id, receipt.occurred_at
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL DO NOTHING;

UPDATE outbox.receipt AS receipt
SET applied_at = :at
WHERE receipt.applied_at IS NULL;
