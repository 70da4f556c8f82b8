-- Empty the cards that a load replaced of what names a person; the number's hash stays.
-- Grain: card. Writes: raw.contact. Parameters: load_id. Twice: nothing is left to empty.
UPDATE raw.contact AS old
SET phone = NULL, email = NULL, first_name = NULL, last_name = NULL
WHERE
    old.superseded_by = :load_id
    AND old.status = 'superseded'
    AND (old.phone, old.email, old.first_name, old.last_name) IS DISTINCT FROM (NULL, NULL, NULL, NULL);
