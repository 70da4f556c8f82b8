-- Whether any product is known.
-- Grain: one row. Reads: core.product. No parameters. Writes nothing.
SELECT EXISTS(SELECT 1 FROM core.product) AS has_products;
