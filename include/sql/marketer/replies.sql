-- purpose: the replies that may mean stop, which a person must read: nothing is sent to their numbers
-- grain: reply, the oldest first; reads: outbox.reply, core.contact; writes: nothing
-- parameters: row_limit
-- twice: it only reads
SELECT
    reply.reply_id,
    reply.text,
    reply.received_at,
    (
        SELECT min(contact.contact_id)
        FROM core.contact AS contact
        WHERE contact.phone_hash = reply.phone_hash AND contact.merged_into IS NULL
    ) AS contact_id,
    count(*) OVER () AS waiting
FROM outbox.reply AS reply
WHERE reply.meaning = 'unclear' AND reply.reviewed_at IS NULL
ORDER BY reply.reply_id
LIMIT CAST(:row_limit AS bigint);
