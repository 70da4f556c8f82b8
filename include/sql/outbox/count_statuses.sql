-- How the messages of a day stand.
-- Grain: step × status. Reads: outbox.message. Parameters: as_of. Writes nothing.
SELECT
    message.step,
    message.status,
    count(*) AS messages
FROM outbox.message AS message
WHERE message.as_of = :as_of
GROUP BY message.step, message.status
ORDER BY message.step, message.status;
