-- Note that a webhook was mapped, and forget its body; or why it could not be, and keep it.
-- Grain: webhook. Writes: outbox.webhook. Parameters: webhook_id; at: when, NULL if it was not;
-- error: why not, NULL if it was. Twice: the same.
UPDATE outbox.webhook
SET
    mapped_at = CAST(:at AS timestamptz),
    error = CAST(:error AS text),
    body = CASE WHEN CAST(:at AS timestamptz) IS NULL THEN body END
WHERE webhook_id = CAST(:webhook_id AS bigint);
