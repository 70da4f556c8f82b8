-- What the earlier days of a month cost, or will: all that went out or still may. A price that the
-- provider states in another currency than the brand's does not add up: what was expected stands.
-- Grain: one row. Reads: outbox.message (by message_by_day). Parameters: from_day, as_of, currency.
-- Writes nothing.
SELECT
    coalesce(sum(message.segments), 0) AS segments,
    coalesce(
        sum(outbox.cost(message.price, message.currency, message.expected_price, :currency)), 0
    ) AS money
FROM outbox.message AS message
WHERE
    message.as_of >= :from_day
    AND message.as_of < :as_of
    AND message.status NOT IN ('draft', 'cancelled', 'rejected');
