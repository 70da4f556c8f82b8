-- Do without keys that nobody has any more, or have them back.
-- Grain: key. Writes: core.phone_key. Parameters: key_ids; at: when it was said, NULL: they are found.
-- Twice: the same keys are done without.
UPDATE core.phone_key
SET lost_at = CAST(:at AS timestamptz)
WHERE phone_key.key_id = ANY(CAST(:key_ids AS integer[]));
