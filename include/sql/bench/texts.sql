-- What a bare loop hands over: texts of the world that stay where they are.
-- Grain: message. Reads: outbox.message, core.contact. Parameters: first, last (contact ids).
-- Writes nothing.
SELECT
    message.message_id,
    contact.phone_e164,
    message.body
FROM outbox.message AS message
INNER JOIN core.contact AS contact ON message.contact_id = contact.contact_id
WHERE message.contact_id BETWEEN :first AND :last
ORDER BY message.contact_id;
