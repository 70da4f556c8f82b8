-- Some numbers and the hashes that stand by them: of the first contacts, and of the last.
-- Grain: contact. Reads: core.contact. Parameters: row_limit: of each. Writes nothing.
(
    SELECT
        contact.phone_e164,
        contact.phone_hash
    FROM core.contact AS contact
    WHERE contact.phone_e164 IS NOT NULL AND contact.phone_hash IS NOT NULL
    ORDER BY contact.contact_id
    LIMIT CAST(:row_limit AS bigint)
)
UNION
(
    SELECT
        contact.phone_e164,
        contact.phone_hash
    FROM core.contact AS contact
    WHERE contact.phone_e164 IS NOT NULL AND contact.phone_hash IS NOT NULL
    ORDER BY contact.contact_id DESC
    LIMIT CAST(:row_limit AS bigint)
);
