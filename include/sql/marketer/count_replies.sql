-- purpose: how many numbers have written what a person must read
-- grain: one row; reads: outbox.reply; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT count(DISTINCT reply.phone_hash) AS waiting
FROM outbox.reply AS reply
WHERE reply.meaning = 'unclear' AND reply.reviewed_at IS NULL;
