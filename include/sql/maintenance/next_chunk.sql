-- The next contacts to compare, by id: through which id, how many, and how many of them are drawn.
-- Grain: one row. Reads: core.contact. Parameters: after_contact_id, chunk_size, share, seed.
-- Writes nothing.
SELECT
    max(chunk.contact_id) AS through_contact_id,
    count(*) AS contacts,
    count(*) FILTER (
        WHERE
        -- The last 20 bits of the hash, as a share of all; the seed draws others each time.
        (hashint8extended(chunk.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
    ) AS drawn
FROM (
    SELECT contact.contact_id
    FROM core.contact AS contact
    WHERE contact.contact_id > :after_contact_id
    ORDER BY contact.contact_id
    LIMIT CAST(:chunk_size AS integer)
) AS chunk;
