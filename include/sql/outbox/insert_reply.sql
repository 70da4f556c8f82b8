-- Keep a reply. One that cannot be a stop needs no review: its reviewed_at is given at once.
-- Grain: reply. Writes: outbox.reply. Parameters: provider, provider_reply_id, phone_hash, text,
-- meaning, received_at, reviewed_at. Twice: a reply that is there is left alone.
INSERT INTO outbox.reply (
    provider, provider_reply_id, phone_hash, text, meaning, received_at, reviewed_at
)
VALUES (
    :provider, :provider_reply_id, :phone_hash, :text,
    CAST(:meaning AS outbox.reply_meaning), :received_at, :reviewed_at
)
ON CONFLICT (provider, provider_reply_id) DO NOTHING;
