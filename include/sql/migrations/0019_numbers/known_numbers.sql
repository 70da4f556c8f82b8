-- The numbers that are known, each once.
SELECT contact.phone_e164 AS phone
FROM core.contact AS contact
WHERE contact.phone_e164 IS NOT NULL
UNION
SELECT card.phone
FROM raw.contact AS card
WHERE card.phone IS NOT NULL AND card.status <> 'superseded';
