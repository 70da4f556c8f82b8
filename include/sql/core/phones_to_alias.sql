-- The numbers that are written in several ways, of the contacts that a load has touched, or of all.
-- Grain: contact. Reads: core.contact. Writes nothing. Parameters: load_id (NULL: all), pattern: of
-- numbers that have another spelling (include/numbers.yaml).
SELECT contact.phone_e164
FROM core.contact AS contact
WHERE
    contact.phone_e164 ~ CAST(:pattern AS text)
    AND (
        CAST(:load_id AS bigint) IS NULL
        OR contact.updated_load_id = CAST(:load_id AS bigint)
    );
