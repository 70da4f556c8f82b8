-- purpose: the texts of the messages to a contact. The page hides the codes of the links in them: a
--          look at somebody's link would count as their opening it
-- grain: message; reads: outbox.message, outbox.link (by link_by_message); writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    message.message_id,
    message.body,
    array(
        SELECT link.code
        FROM outbox.link AS link
        WHERE link.message_id = message.message_id
    ) AS link_codes
FROM outbox.message AS message
WHERE message.contact_id = cast(:contact_id AS bigint) AND message.body IS NOT NULL;
