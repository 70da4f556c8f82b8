-- Keep what the provider says about messages, as it says it. A refusal of a bulk in which the message
-- is no more is left out: it was handed over again since, and what became of that is what counts.
-- Grain: receipt; returns the status and the code of each new one. Reads: outbox.message. Writes: outbox.receipt.
-- Parameters: provider, at, message_ids, statuses, codes, suppresses, segments, prices, currencies,
-- occurred, bulk_ids (NULL: not told).
-- Twice: a receipt that is there is left alone.
INSERT INTO outbox.receipt (
    provider, message_id, status, raw_code, suppress, segments, price, currency, occurred_at,
    received_at
)
SELECT
    :provider,
    entry.message_id,
    CAST(entry.status AS outbox.message_status) AS status,
    entry.raw_code,
    CAST(entry.suppress AS core.suppression_reason) AS suppress,
    entry.segments,
    entry.price,
    entry.currency,
    entry.occurred_at,
    :at
FROM
    unnest(
        CAST(:message_ids AS text[]),
        CAST(:statuses AS text[]),
        CAST(:codes AS text[]),
        CAST(:suppresses AS text[]),
        CAST(:segments AS integer[]),
        CAST(:prices AS numeric[]),
        CAST(:currencies AS text[]),
        CAST(:occurred AS timestamptz[]),
        CAST(:bulk_ids AS text[])
    )
        AS entry (
            message_id, status, raw_code, suppress, segments, price, currency, occurred_at, bulk_id
        )
WHERE
    entry.status <> 'rejected'
    OR entry.bulk_id IS NULL
    OR NOT EXISTS (
        SELECT 1
        FROM outbox.message AS message
        WHERE
            message.message_id = CASE
                WHEN entry.message_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                    THEN CAST(entry.message_id AS uuid)
            END
            AND message.bulk_id <> entry.bulk_id
    )
ON CONFLICT (provider, message_id, status, raw_code) DO NOTHING
RETURNING status, raw_code;
