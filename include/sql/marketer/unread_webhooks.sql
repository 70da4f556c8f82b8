-- purpose: how much of what the provider told (replies, receipts) could not be read, and is kept
-- grain: one row; reads: outbox.webhook; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    count(*) AS unread,
    min(webhook.received_at) AS since
FROM outbox.webhook AS webhook
WHERE webhook.mapped_at IS NULL AND webhook.error IS NOT NULL;
