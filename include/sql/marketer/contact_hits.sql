-- purpose: who or what followed a contact's links
-- grain: hit; reads: outbox.judged_hit (outbox.hit, outbox.message by contact); writes: nothing
-- parameters: contact_id, row_limit
-- twice: it only reads
SELECT
    hit.at,
    hit.kind,
    hit.verdict,
    message.step
FROM outbox.judged_hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
WHERE hit.contact_id = cast(:contact_id AS bigint)
ORDER BY hit.at DESC
LIMIT cast(:row_limit AS bigint);
