-- What the texts of a day are expected to cost, and when they may ring.
-- Grain: step × variant × country × encoding. Reads: outbox.message (by message_by_day), core.contact.
-- Parameters: as_of, country (of contacts without one). Writes nothing.
SELECT
    message.step,
    coalesce(message.variant, '') AS variant,
    coalesce(contact.country, :country) AS country,
    message.encoding,
    count(*) AS texts,
    sum(message.segments) AS segments,
    sum(message.expected_price) AS money,
    min(message.not_before) AS first_not_before,
    max(message.not_before) AS last_not_before
FROM outbox.message AS message
INNER JOIN core.contact AS contact ON message.contact_id = contact.contact_id
WHERE message.as_of = :as_of AND message.status <> 'cancelled'
GROUP BY message.step, coalesce(message.variant, ''), coalesce(contact.country, :country), message.encoding
ORDER BY message.step ASC, variant ASC, texts DESC;
