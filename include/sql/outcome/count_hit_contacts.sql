-- How many contacts' links were opened in some time.
-- Grain: one row. Reads: outbox.hit. Writes nothing. Parameters: since, until (exclusive; NULL for
-- no bound).
SELECT count(DISTINCT hit.contact_id) AS contacts
FROM outbox.hit AS hit
WHERE
    hit.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
    AND hit.at < coalesce(CAST(:until AS timestamptz), 'infinity');
