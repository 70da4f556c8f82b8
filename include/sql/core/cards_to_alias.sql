-- The numbers that have more than one hash, of the cards of a load, or of all, with the hash that
-- stands by them.
-- Grain: number × hash. Reads: raw.contact. Writes nothing. Parameters: load_id (NULL: all), pattern:
-- of numbers that have another spelling (include/numbers.yaml), prefix: of the key in use; a number
-- that stands under another one is told, too.
SELECT DISTINCT
    card.phone AS phone_e164,
    card.phone_hash
FROM raw.contact AS card
WHERE
    (
        card.phone ~ CAST(:pattern AS text)
        OR core.key_prefix(card.phone_hash) <> CAST(:prefix AS text)
    )
    AND card.phone_hash IS NOT NULL
    AND (CAST(:load_id AS bigint) IS NULL OR card.load_id = CAST(:load_id AS bigint));
