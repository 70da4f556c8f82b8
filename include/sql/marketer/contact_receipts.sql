-- purpose: what the provider reported about the messages to a contact
-- grain: receipt; reads: outbox.message (by contact), outbox.receipt (by its unique key)
-- writes: nothing
-- parameters: contact_id, row_limit
-- twice: it only reads
SELECT
    receipt.occurred_at,
    receipt.status,
    receipt.raw_code,
    receipt.provider,
    message.step
FROM outbox.message AS message
INNER JOIN outbox.receipt AS receipt
    ON
        message.provider = receipt.provider
        AND cast(message.message_id AS text) = receipt.message_id
WHERE message.contact_id = cast(:contact_id AS bigint)
ORDER BY receipt.occurred_at DESC
LIMIT cast(:row_limit AS bigint);
