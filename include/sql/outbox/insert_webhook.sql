-- Keep what a provider has called in, as it came.
-- Grain: webhook; returns its id, or no row where it was kept before. Writes: outbox.webhook.
-- Parameters: provider; digest: keyed, of the address and the body; url; body; at: when it came.
-- Twice: what is there is left alone.
INSERT INTO outbox.webhook (provider, digest, url, body, received_at)
VALUES (
    CAST(:provider AS text),
    CAST(:digest AS text),
    CAST(:url AS text),
    CAST(:body AS bytea),
    CAST(:at AS timestamptz)
)
ON CONFLICT (provider, digest) DO NOTHING
RETURNING webhook_id;
