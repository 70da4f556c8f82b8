-- Take the load's products: each is what its source said last. One that the source took back (it is
-- excluded now, or another mapping says it no more) is no product any more; one that is deleted there
-- keeps its name for whoever has bought it, and cannot be had.
-- Grain: product. Reads: raw.product. Writes: core.product. Parameters: load_id.
-- Twice: the same rows.
DELETE FROM core.product AS product
USING raw.product AS row
WHERE
    product.source = row.source
    AND product.source_product_id = row.record_key
    AND (row.superseded_by = :load_id OR row.load_id = :load_id)
    AND NOT row.is_deleted
    AND NOT EXISTS (
        SELECT 1
        FROM raw.product AS present
        WHERE
            present.source = row.source
            AND present.record_key = row.record_key
            AND present.status = 'loaded'
    );

UPDATE core.product AS product
SET is_available = FALSE, load_id = :load_id
FROM raw.product AS row
WHERE
    product.source = row.source
    AND product.source_product_id = row.record_key
    AND row.superseded_by = :load_id
    AND row.is_deleted
    AND NOT EXISTS (
        SELECT 1
        FROM raw.product AS present
        WHERE
            present.source = row.source
            AND present.record_key = row.record_key
            AND present.status <> 'superseded'
    );

INSERT INTO core.product (
    source, source_product_id, name, category, url, image_url, price, currency, is_available,
    load_id
)
SELECT
    row.source,
    row.record_key,
    row.name,
    row.category,
    row.url,
    row.image_url,
    row.price,
    row.currency,
    -- Where nothing is said it can be had; where what is said cannot be read, better not.
    coalesce(row.available, row.problems -> 'available' IS NULL),
    :load_id
FROM raw.product AS row
WHERE row.load_id = :load_id AND row.status = 'loaded'
ON CONFLICT (source_product_id, source) DO UPDATE
    SET
        name = excluded.name,
        category = excluded.category,
        url = excluded.url,
        image_url = excluded.image_url,
        price = excluded.price,
        currency = excluded.currency,
        is_available = excluded.is_available,
        load_id = excluded.load_id;
