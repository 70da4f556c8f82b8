-- The next contacts, by id, whose links were opened in some time: through which id, and how many.
-- Grain: one row. Reads: outbox.hit. Writes nothing. Parameters: since, until (exclusive; NULL for
-- no bound), after_contact_id (exclusive), chunk_size.
SELECT
    max(chunk.contact_id) AS through_contact_id,
    count(*) AS contacts
FROM (
    SELECT DISTINCT hit.contact_id
    FROM outbox.hit AS hit
    WHERE
        hit.contact_id > :after_contact_id
        AND hit.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
        AND hit.at < coalesce(CAST(:until AS timestamptz), 'infinity')
    ORDER BY hit.contact_id
    LIMIT CAST(:chunk_size AS integer)
) AS chunk;
