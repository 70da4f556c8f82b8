-- Who has a phone number, by the id of their first identity.
-- Grain: one row or none. Reads: core.contact. Parameters: phone. Writes nothing.
SELECT
    contact.first_source,
    contact.first_source_contact_id
FROM core.contact AS contact
WHERE contact.phone_e164 = :phone AND contact.merged_into IS NULL
ORDER BY contact.contact_id
LIMIT 1;
