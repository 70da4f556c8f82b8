-- The item that each contact viewed or bought last, of those that are known by name.
-- Grain: contact with such an item; the others are left out. Reads: core.interaction (by contact),
-- core.product, core.product_source. Parameters: contact_ids (each once), as_of (nothing later
-- counts), most_rows (a contact's newest interactions with a product that are looked at).
-- Writes nothing.
SELECT
    wanted.contact_id,
    CASE WHEN latest.kind = 'visit' THEN 'viewed' ELSE 'bought' END AS item_kind,
    latest.product_id,
    latest.product_source,
    latest.name,
    latest.url
FROM unnest(CAST(:contact_ids AS bigint[])) AS wanted (contact_id)
CROSS JOIN
    LATERAL (
        SELECT
            newest.kind,
            newest.product_id,
            product.source AS product_source,
            product.name,
            product.url
        FROM (
            SELECT
                done.kind,
                done.source,
                done.product_id,
                done.occurred_on,
                done.occurred_at
            FROM core.interaction AS done
            WHERE
                done.contact_id = wanted.contact_id
                AND done.occurred_on <= CAST(:as_of AS date)
                AND done.kind IN ('visit', 'purchase', 'loyalty')
                AND done.product_id IS NOT NULL
            ORDER BY
                done.occurred_on DESC,
                done.occurred_at DESC,
                done.kind = 'visit' ASC,
                done.product_id ASC,
                done.source ASC
            LIMIT CAST(:most_rows AS integer)
        ) AS newest
        CROSS JOIN LATERAL core.product_of(newest.source, newest.product_id) AS product
        WHERE
            product.name IS NOT NULL
            -- To speak of what was only looked at is to recommend it.
            AND (product.is_available OR newest.kind <> 'visit')
        ORDER BY
            newest.occurred_on DESC,
            newest.occurred_at DESC,
            newest.kind = 'visit' ASC,
            newest.product_id ASC,
            newest.source ASC
        LIMIT 1
    ) AS latest
ORDER BY wanted.contact_id;
