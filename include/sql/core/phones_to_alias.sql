-- The numbers that have more than one hash, of the cards of a load and the contacts that it has
-- touched, or of all that are known, with the hash that stands by them.
-- Grain: number × hash. Reads: raw.contact, core.contact. Writes nothing. Parameters: load_id (NULL:
-- all), pattern: of numbers that have another spelling (include/numbers.yaml), prefix: of the key in
-- use; a number that stands under another one is told, too.
SELECT
    card.phone AS phone_e164,
    card.phone_hash
FROM raw.contact AS card
WHERE
    (
        card.phone ~ CAST(:pattern AS text)
        OR core.key_prefix(card.phone_hash) <> CAST(:prefix AS text)
    )
    AND card.phone_hash IS NOT NULL
    AND (CAST(:load_id AS bigint) IS NULL OR card.load_id = CAST(:load_id AS bigint))
UNION
SELECT
    contact.phone_e164,
    contact.phone_hash
FROM core.contact AS contact
WHERE
    (
        contact.phone_e164 ~ CAST(:pattern AS text)
        OR core.key_prefix(contact.phone_hash) <> CAST(:prefix AS text)
    )
    AND contact.phone_e164 IS NOT NULL
    AND contact.phone_hash IS NOT NULL
    AND (
        CAST(:load_id AS bigint) IS NULL
        OR contact.updated_load_id = CAST(:load_id AS bigint)
    );
