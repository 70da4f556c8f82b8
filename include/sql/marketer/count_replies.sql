-- purpose: how many numbers have written what a person must read
-- grain: one row; reads: outbox.unread_reply, core.phone_alias; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT count(DISTINCT core.one_number(reply.phone_hash)) AS waiting
FROM outbox.unread_reply AS reply;
