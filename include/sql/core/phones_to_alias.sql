-- The numbers that are written in several ways, of the cards of a load, or of all that are known.
-- Grain: number. Reads: raw.contact, core.contact. Writes nothing. Parameters: load_id (NULL: all),
-- pattern: of numbers that have another spelling (include/numbers.yaml).
SELECT card.phone AS phone_e164
FROM raw.contact AS card
WHERE
    card.phone ~ CAST(:pattern AS text)
    AND (CAST(:load_id AS bigint) IS NULL OR card.load_id = CAST(:load_id AS bigint))
UNION
SELECT contact.phone_e164
FROM core.contact AS contact
WHERE CAST(:load_id AS bigint) IS NULL AND contact.phone_e164 ~ CAST(:pattern AS text);
