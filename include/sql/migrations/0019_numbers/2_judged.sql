-- Every number that was on file when there were no kinds. judged: filled by the revision.
ANALYZE judged;

UPDATE core.contact AS contact
SET phone_kind = judged.kind
FROM judged
WHERE contact.phone_e164 = judged.phone;

UPDATE raw.contact AS card
SET phone_kind = CAST(judged.kind AS text)
FROM judged
WHERE card.phone = judged.phone AND card.status <> 'superseded';
