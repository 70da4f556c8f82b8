-- What became of the messages. Grain: status. Reads: outbox.message. Writes nothing.
SELECT
    CAST(message.status AS text) AS status,
    count(*) AS messages
FROM outbox.message AS message
GROUP BY message.status
ORDER BY message.status;
