-- Let keys go that nothing rests on. The caller holds the lock of the keys: nobody is hashing.
-- Grain: key. Writes: core.phone_key. Parameters: key_ids; at: when. Twice: the first time stays.
UPDATE core.phone_key
SET retired_at = CAST(:at AS timestamptz)
WHERE
    phone_key.key_id = ANY(CAST(:key_ids AS integer[]))
    AND phone_key.retired_at IS NULL;
