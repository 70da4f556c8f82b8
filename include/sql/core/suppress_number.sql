-- Text a number no more, whoever has it: what the provider says of a number as such.
-- Grain: the number itself (contact_id 0), in every spelling under the key in use, and under every hash
-- that a contact or a message is known by; one row for each that is new. Reads: core.contact,
-- outbox.message. Writes: core.suppression. Parameters: phone_hashes: all of one number, new_hashes:
-- those of the key in use, channel, reason, source, at: when. Twice: the first stands.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT
    0,
    number.phone_hash,
    CAST(:channel AS text),
    CAST(:reason AS core.suppression_reason),
    CAST(:source AS text),
    CAST(:at AS timestamptz)
FROM unnest(CAST(:phone_hashes AS text[])) AS number (phone_hash)
WHERE
    number.phone_hash = ANY(CAST(:new_hashes AS text[]))
    OR EXISTS (
        SELECT 1
        FROM core.contact AS contact
        WHERE contact.phone_hash = number.phone_hash
    )
    OR EXISTS (
        SELECT 1
        FROM outbox.message AS message
        WHERE message.phone_hash = number.phone_hash
    )
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
DO NOTHING;
