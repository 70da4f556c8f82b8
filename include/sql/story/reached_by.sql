-- Who has a phone number or an email address, or is the contact of a number.
-- Grain: contact. Reads: core.contact (by contact_by_phone, contact_by_email and its key),
-- core.phone_alias. Writes nothing. Parameters: phone_hashes (of the number as it may be written),
-- email, contact_id (both may be null).
SELECT contact.contact_id
FROM core.contact AS contact
WHERE
    contact.contact_id = CAST(:contact_id AS bigint)
    OR (contact.phone_hash = ANY(CAST(:phone_hashes AS text[])) AND contact.merged_into IS NULL)
    OR (
        contact.phone_hash = ANY(
            ARRAY(
                SELECT alias.alias_hash
                FROM core.phone_alias AS alias
                WHERE alias.phone_hash = ANY(CAST(:phone_hashes AS text[]))
            )
        )
        AND contact.merged_into IS NULL
    )
    OR (contact.email = CAST(:email AS text) AND contact.merged_into IS NULL)
ORDER BY contact.contact_id;
