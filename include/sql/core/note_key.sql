-- Note a key, by its fingerprint, as the one in use. The caller holds the lock of the keys.
-- Grain: key. Writes: core.phone_key. Parameters: key_id, prefix, salt, fingerprint (both NULL: of a
-- key that nobody has), at: when, is_swept: whether every number on file is known under it.
-- Twice: the first stays.
INSERT INTO core.phone_key (
    key_id, prefix, salt, fingerprint, noted_at, swept_to, swept_at, lost_at
)
VALUES (
    CAST(:key_id AS integer),
    CAST(:prefix AS text),
    CAST(:salt AS text),
    CAST(:fingerprint AS text),
    CAST(:at AS timestamptz),
    0,
    CASE WHEN CAST(:is_swept AS boolean) THEN CAST(:at AS timestamptz) END,
    CASE WHEN CAST(:fingerprint AS text) IS NULL THEN CAST(:at AS timestamptz) END
)
ON CONFLICT (key_id) DO NOTHING;
