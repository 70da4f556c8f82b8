-- The staging table of one file of products: good rows and bad, before they are told apart.
-- Grain: a row of the file. Gone with the transaction, so running it twice is safe.
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT
    product.line,
    CAST(NULL AS text) AS reason,
    product.record_key,
    product.record_hash,
    product.dated_on,
    FALSE AS is_excluded,
    FALSE AS has_status,
    product.problems,
    product.record,
    product.source_product_id,
    product.name,
    product.category,
    product.url,
    product.image_url,
    product.price,
    product.currency,
    product.available
FROM raw.product AS product
WITH NO DATA;
