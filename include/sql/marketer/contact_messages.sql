-- purpose: the messages to a contact. The page hides the codes of the links in their text: a
--          look at somebody's link would count as their opening it
-- grain: message; reads: outbox.message, outbox.link (by link_by_message); writes: nothing
-- parameters: contact_id, row_limit
-- twice: it only reads
SELECT
    message.as_of,
    message.step,
    message.status,
    message.status_at,
    message.not_before,
    message.accepted_at,
    message.delivered_at,
    message.segments,
    message.error_code,
    message.body,
    array(
        SELECT link.code
        FROM outbox.link AS link
        WHERE link.message_id = message.message_id
    ) AS link_codes
FROM outbox.message AS message
WHERE message.contact_id = cast(:contact_id AS bigint)
ORDER BY message.as_of DESC
LIMIT cast(:row_limit AS bigint);
