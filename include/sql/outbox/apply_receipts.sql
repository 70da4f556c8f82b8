-- Map the receipts that are new onto their messages. A success never overwrites a failure: another
-- segment may have failed. A receipt of a message that is queued or cancelled proves that it was
-- sent; but for a refusal, which may be of an account without credit: that message is sent later.
-- A number that is bad for good, or somebody else's now, is suppressed. Receipts of messages that nobody knows are kept,
-- unapplied to anything. One statement: a receipt that comes meanwhile waits for the next run.
-- Returns the numbers that have opted out with the provider, and since when: whoever runs this runs
-- core/opt_out_phone for each, in the same transaction.
-- Grain: message; of what returns, number. Reads: outbox.receipt. Writes: outbox.message,
-- core.suppression, outbox.receipt. Parameters: at, channel.
-- Twice: an applied receipt is not looked at again.
WITH fresh AS (
    UPDATE outbox.receipt AS receipt
    SET applied_at = :at
    WHERE receipt.applied_at IS NULL
    RETURNING
        CASE
            WHEN receipt.message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN CAST(receipt.message_id AS uuid)
        END AS message_id,
        receipt.status,
        receipt.raw_code,
        receipt.suppress,
        receipt.segments,
        receipt.price,
        receipt.currency,
        receipt.occurred_at
),

bounced AS (
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
    SELECT
        message.contact_id,
        message.phone_hash,
        :channel,
        fresh.suppress,
        'receipt',
        min(fresh.occurred_at) AS since
    FROM fresh
    INNER JOIN outbox.message AS message ON fresh.message_id = message.message_id
    WHERE fresh.suppress <> 'opted_out'
    GROUP BY message.contact_id, message.phone_hash, fresh.suppress
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, '')))
    WHERE lifted_at IS NULL DO NOTHING
),

-- Of several about one message: a failure, else a delivery, else that it was taken.
latest AS (
    SELECT DISTINCT ON (fresh.message_id) fresh.*
    FROM fresh
    ORDER BY
        fresh.message_id ASC,
        CASE fresh.status WHEN 'accepted' THEN 2 WHEN 'delivered' THEN 1 ELSE 0 END ASC,
        fresh.occurred_at DESC
),

followed AS (
    UPDATE outbox.message AS message
    SET
        status = latest.status,
        status_at = latest.occurred_at,
        accepted_at = CASE
            WHEN latest.status = 'rejected' THEN message.accepted_at
            ELSE coalesce(message.accepted_at, least(message.status_at, latest.occurred_at))
        END,
        delivered_at
        = CASE WHEN latest.status = 'delivered' THEN latest.occurred_at ELSE message.delivered_at END,
        error_code
        = CASE WHEN latest.status IN ('accepted', 'delivered') THEN NULL ELSE latest.raw_code END,
        segments = coalesce(latest.segments, message.segments),
        price = coalesce(latest.price, message.price),
        currency = coalesce(latest.currency, message.currency)
    FROM latest
    WHERE
        message.message_id = latest.message_id
        AND (
            message.status = 'unknown'
            OR (
                message.status IN ('draft', 'queued', 'sending', 'cancelled')
                AND latest.status <> 'rejected'
            )
            OR (message.status = 'accepted' AND latest.status <> 'accepted')
            OR (message.status = 'delivered' AND latest.status NOT IN ('accepted', 'delivered'))
        )
)

SELECT
    message.phone_hash,
    min(fresh.occurred_at) AS since
FROM fresh
INNER JOIN outbox.message AS message ON fresh.message_id = message.message_id
WHERE fresh.suppress = 'opted_out'
GROUP BY message.phone_hash
ORDER BY message.phone_hash;
