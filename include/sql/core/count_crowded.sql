-- How many phone numbers of the contacts that a load has touched more than a few customers of its source
-- have, and how many these are.
-- Grain: one row. Reads: core.contact, core.contact_identity, core.card_id, core.phone_alias. No writes.
-- Parameters: load_id, source, most_holders. Twice: the same row.
WITH number AS (
    SELECT DISTINCT
        contact.phone_hash,
        core.phone_hashes(contact.phone_hash) AS phone_hashes
    FROM core.contact AS contact
    WHERE contact.updated_load_id = :load_id AND contact.phone_e164 IS NOT NULL
),

-- As many as that of any source: few.
held AS MATERIALIZED (
    SELECT DISTINCT holding.contact_ids
    FROM number
    CROSS JOIN
        LATERAL (
            SELECT array_agg(contact.contact_id ORDER BY contact.contact_id) AS contact_ids
            FROM unnest(number.phone_hashes) AS form (phone_hash)
            INNER JOIN core.contact AS contact ON form.phone_hash = contact.phone_hash
            WHERE contact.merged_into IS NULL AND contact.status <> 'erased'
            HAVING count(*) > CAST(:most_holders AS integer)
        ) AS holding
)

SELECT
    count(*) AS numbers,
    coalesce(sum(crowd.holders), 0) AS holders
FROM held
CROSS JOIN
    LATERAL (
        SELECT count(*) AS holders
        FROM unnest(held.contact_ids) AS holder (contact_id)
        WHERE
            EXISTS (
                SELECT 1
                FROM core.contact_identity AS identity
                INNER JOIN core.card_id AS card
                    ON
                        identity.source = card.source
                        AND identity.source_contact_id = card.source_contact_id
                        AND identity.source = card.id_source
                        AND identity.source_contact_id = card.id
                WHERE identity.contact_id = holder.contact_id AND identity.source = :source
            )
        HAVING count(*) > CAST(:most_holders AS integer)
    ) AS crowd;
