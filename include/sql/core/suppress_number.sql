-- Text a number no more, whoever has it: what the provider says of a number as such.
-- Grain: the number itself (contact_id 0), in every spelling; one row for each that is new. Writes:
-- core.suppression. Parameters: phone_hashes (of one number), channel, reason, source, at: when.
-- Twice: the first stands.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT
    0,
    number.phone_hash,
    CAST(:channel AS text),
    CAST(:reason AS core.suppression_reason),
    CAST(:source AS text),
    CAST(:at AS timestamptz)
FROM unnest(CAST(:phone_hashes AS text[])) AS number (phone_hash)
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
DO NOTHING;
