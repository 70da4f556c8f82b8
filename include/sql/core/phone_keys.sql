-- The keys that numbers are hashed with, the one in use first.
-- Grain: key. Reads: core.phone_key. No parameters. Writes nothing.
SELECT
    key.key_id,
    key.prefix,
    key.salt,
    key.fingerprint,
    key.noted_at,
    key.swept_to,
    key.swept_at,
    key.lost_at,
    key.retired_at
FROM core.phone_key AS key
ORDER BY key.key_id DESC;
