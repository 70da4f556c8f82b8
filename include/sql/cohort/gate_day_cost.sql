-- What the drafts of a day are expected to cost.
-- Grain: one row. Reads: outbox.message (by message_by_day). Parameters: as_of. Writes nothing.
SELECT
    coalesce(sum(message.segments), 0) AS segments,
    coalesce(sum(message.expected_price), 0) AS money
FROM outbox.message AS message
WHERE message.as_of = :as_of AND message.status = 'draft';
