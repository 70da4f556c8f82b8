-- The numbers of contacts that have more than one hash: of those that a load has touched, whose hash is
-- of another key than the one in use (what its cards say is noted before), or of all.
-- Grain: contact. Reads: core.contact. Writes nothing. Parameters: load_id (NULL: all), pattern: of
-- numbers that have another spelling (include/numbers.yaml), prefix: of the key in use.
SELECT
    contact.phone_e164,
    contact.phone_hash
FROM core.contact AS contact
WHERE
    (
        core.key_prefix(contact.phone_hash) <> CAST(:prefix AS text)
        OR (CAST(:load_id AS bigint) IS NULL AND contact.phone_e164 ~ CAST(:pattern AS text))
    )
    AND contact.phone_e164 IS NOT NULL
    AND contact.phone_hash IS NOT NULL
    AND (
        CAST(:load_id AS bigint) IS NULL
        OR contact.updated_load_id = CAST(:load_id AS bigint)
    );
