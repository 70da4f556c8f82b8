-- Write down what messages cost, told some time after they were sent.
-- Grain: message. Writes: outbox.message. Parameters: message_ids, prices, currencies, segments.
-- Twice: a message that has a price keeps it.
UPDATE outbox.message AS message
SET
    price = told.price,
    currency = told.currency,
    segments = coalesce(told.segments, message.segments)
FROM
    unnest(
        CAST(:message_ids AS uuid[]),
        CAST(:prices AS numeric[]),
        CAST(:currencies AS text[]),
        CAST(:segments AS integer[])
    ) AS told (message_id, price, currency, segments)
WHERE message.message_id = told.message_id AND message.price IS NULL;
