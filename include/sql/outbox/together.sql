-- The names of what is most often bought together with each contact's item, and is not theirs yet.
-- Grain: contact for whom there is any. Reads: core.interaction (by contact, and by
-- interaction_by_product), core.product, core.product_source. Parameters: contact_ids, product_ids,
-- product_sources and names (each contact's item), as_of (nothing later counts, of anybody),
-- most_baskets (the newest of an item), most_lines (a larger basket says nothing of what goes
-- together), most_names (for an item; a contact may have some of them), most_together.
-- Writes nothing.
-- A basket is what one contact bought in one source at one moment. What this costs follows from the
-- items asked for and the limits. A contact's rows and a basket's are read by contact_id; whose
-- baskets hold an item is asked of everybody, on a cluster of every shard.
WITH item AS MATERIALIZED (
    SELECT
        wanted.contact_id,
        wanted.product_id,
        wanted.product_source,
        wanted.name
    FROM unnest(
        CAST(:contact_ids AS bigint[]),
        CAST(:product_ids AS text[]),
        CAST(:product_sources AS text[]),
        CAST(:names AS text[])
    ) AS wanted (contact_id, product_id, product_source, name)
),

-- Numbers stand for items and names below: millions of them are counted and put in order.
wanted AS MATERIALIZED (
    SELECT
        row_number() OVER () AS item_no,
        asked.product_id,
        asked.product_source
    FROM (
        SELECT DISTINCT
            item.product_id,
            item.product_source
        FROM item
    ) AS asked
),

-- The newest baskets of each item.
bought AS MATERIALIZED (
    SELECT DISTINCT
        wanted.item_no,
        line.contact_id,
        line.source,
        line.occurred_on,
        line.occurred_at
    FROM wanted
    CROSS JOIN
        LATERAL (
            SELECT
                newest.contact_id,
                newest.source,
                newest.occurred_on,
                newest.occurred_at
            FROM core.product_source AS seller
            INNER JOIN LATERAL core.product_of(seller.source, wanted.product_id) AS product
                ON wanted.product_source = product.source
            CROSS JOIN
                LATERAL (
                    SELECT
                        done.contact_id,
                        done.source,
                        done.occurred_on,
                        done.occurred_at
                    FROM core.interaction AS done
                    WHERE
                        done.product_id = wanted.product_id
                        AND done.source = seller.source
                        AND core.is_order(done.kind)
                        AND done.occurred_on <= CAST(:as_of AS date)
                    ORDER BY
                        done.occurred_on DESC, done.occurred_at DESC, done.contact_id ASC
                    LIMIT CAST(:most_baskets AS integer)
                ) AS newest
            ORDER BY
                newest.occurred_on DESC,
                newest.occurred_at DESC,
                newest.contact_id ASC,
                newest.source ASC
            LIMIT CAST(:most_baskets AS integer)
        ) AS line
),

-- What is in them: each basket is read once, however many of the items it holds.
basket AS MATERIALIZED (
    SELECT
        held.contact_id,
        held.source,
        held.occurred_at,
        ARRAY(SELECT DISTINCT id.product_id FROM unnest(held.lines) AS id (product_id))
            AS product_ids
    FROM (
        SELECT
            place.contact_id,
            place.source,
            place.occurred_at,
            array_agg(done.product_id) AS lines
        FROM (
            SELECT DISTINCT
                bought.contact_id,
                bought.source,
                bought.occurred_on,
                bought.occurred_at
            FROM bought
        ) AS place
        INNER JOIN core.interaction AS done
            ON
                place.contact_id = done.contact_id
                AND place.occurred_on = done.occurred_on
                AND place.source = done.source
                AND place.occurred_at = done.occurred_at
        WHERE core.is_order(done.kind) AND done.product_id IS NOT NULL
        GROUP BY
            place.contact_id,
            place.source,
            place.occurred_at
        HAVING count(*) BETWEEN 2 AND CAST(:most_lines AS integer)
    ) AS held
),

-- Which of it has a name and can be had.
known AS MATERIALIZED (
    SELECT
        seen.source,
        seen.product_id,
        product.name,
        dense_rank() OVER (ORDER BY product.name COLLATE "C") AS name_no
    FROM (
        SELECT DISTINCT
            basket.source,
            unnest(basket.product_ids) AS product_id
        FROM basket
    ) AS seen
    CROSS JOIN LATERAL core.product_of(seen.source, seen.product_id) AS product
    WHERE product.name IS NOT NULL AND product.is_available
),

-- Told apart by name: that is what a contact reads, and what sizes and colours of one thing share.
title AS MATERIALIZED (
    SELECT
        known.name_no,
        known.name,
        array_agg(DISTINCT known.product_id) AS product_ids,
        row_number() OVER (ORDER BY min(known.product_id COLLATE "C"), known.name_no) AS id_order
    FROM known
    GROUP BY known.name_no, known.name
),

filled AS MATERIALIZED (
    SELECT
        line.contact_id,
        line.source,
        line.occurred_at,
        array_agg(DISTINCT title.id_order) AS names
    FROM (
        SELECT
            basket.contact_id,
            basket.source,
            basket.occurred_at,
            unnest(basket.product_ids) AS product_id
        FROM basket
    ) AS line
    INNER JOIN known ON line.source = known.source AND line.product_id = known.product_id
    INNER JOIN title ON known.name_no = title.name_no
    GROUP BY
        line.contact_id,
        line.source,
        line.occurred_at
),

named AS MATERIALIZED (
    SELECT
        ranked.item_no,
        ranked.id_order,
        ranked.place
    FROM (
        SELECT
            beside.item_no,
            beside.id_order,
            row_number() OVER (
                PARTITION BY beside.item_no ORDER BY beside.baskets DESC, beside.id_order ASC
            ) AS place
        FROM (
            SELECT
                bought.item_no,
                other.id_order,
                count(*) AS baskets
            FROM bought
            INNER JOIN filled
                ON
                    bought.contact_id = filled.contact_id
                    AND bought.source = filled.source
                    AND bought.occurred_at = filled.occurred_at
            CROSS JOIN LATERAL unnest(filled.names) AS other (id_order)
            GROUP BY bought.item_no, other.id_order
        ) AS beside
    ) AS ranked
    -- One of them is the item itself.
    WHERE ranked.place <= CAST(:most_names AS integer) + 1
),

owner AS MATERIALIZED (
    SELECT
        item.contact_id,
        item.name,
        wanted.item_no,
        ARRAY(
            SELECT own.product_id
            FROM core.interaction AS own
            WHERE
                own.contact_id = item.contact_id
                AND own.occurred_on <= CAST(:as_of AS date)
                AND core.is_order(own.kind)
                AND own.product_id IS NOT NULL
        ) AS owned_ids
    FROM item
    INNER JOIN wanted
        ON item.product_id = wanted.product_id AND item.product_source = wanted.product_source
),

free AS (
    SELECT
        owner.contact_id,
        title.name,
        row_number() OVER (PARTITION BY owner.contact_id ORDER BY named.place) AS place
    FROM owner
    INNER JOIN named ON owner.item_no = named.item_no
    INNER JOIN title ON named.id_order = title.id_order
    WHERE owner.name <> title.name AND NOT title.product_ids && owner.owned_ids
)

SELECT
    free.contact_id,
    array_agg(free.name ORDER BY free.place) AS names
FROM free
WHERE free.place <= CAST(:most_together AS integer)
GROUP BY free.contact_id;
