-- The next numbers to note under the key in use.
-- Grain: contact. Reads: core.contact. Parameters: after_id: of the last contact that was noted,
-- row_limit. Writes nothing.
SELECT
    contact.contact_id,
    contact.phone_e164,
    contact.phone_hash
FROM core.contact AS contact
WHERE
    contact.contact_id > CAST(:after_id AS bigint)
    AND contact.phone_e164 IS NOT NULL
    AND contact.phone_hash IS NOT NULL
ORDER BY contact.contact_id
LIMIT CAST(:row_limit AS bigint);
