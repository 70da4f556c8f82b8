-- Keep what the provider says about messages, as it says it.
-- Grain: receipt; returns the status of each new one. Writes: outbox.receipt. Parameters: provider,
-- at, message_ids, statuses, codes, suppresses, segments, prices, currencies, occurred.
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
        CAST(:occurred AS timestamptz[])
    )
        AS entry (
            message_id, status, raw_code, suppress, segments, price, currency, occurred_at
        )
ON CONFLICT (provider, message_id, status, raw_code) DO NOTHING
RETURNING status;
