-- What a provider has called in and was not mapped yet, in the order in which it came.
-- Grain: webhook. Reads: outbox.webhook. Writes nothing. Parameters: provider; has_failed: those
-- that could not be mapped before, else those that are new; after_id: of a webhook; row_limit: how many at
-- most.
SELECT
    webhook.webhook_id,
    webhook.url,
    webhook.body,
    webhook.received_at
FROM outbox.webhook AS webhook
WHERE
    webhook.mapped_at IS NULL
    AND webhook.webhook_id > CAST(:after_id AS bigint)
    AND webhook.provider = :provider
    AND (webhook.error IS NOT NULL) = :has_failed
ORDER BY webhook.webhook_id
LIMIT CAST(:row_limit AS bigint);
