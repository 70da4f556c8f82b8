-- Note how far the numbers on file are known under a key.
-- Grain: key. Writes: core.phone_key. Parameters: key_id; swept_to: the last contact; at: when all
-- were, NULL while some are left. Twice: the same.
UPDATE core.phone_key
SET
    swept_to = CAST(:swept_to AS bigint),
    swept_at = CAST(:at AS timestamptz)
WHERE key_id = CAST(:key_id AS integer);
