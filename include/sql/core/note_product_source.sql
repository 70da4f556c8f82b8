-- Note whose product ids the interactions of a source carry, as its YAML says; NULL: it does not.
-- Grain: one row. Writes: core.product_source. Parameters: source, product_source.
-- Twice: the same row.
INSERT INTO core.product_source AS known (source, product_source)
VALUES (:source, :product_source)
ON CONFLICT (source) DO UPDATE
    SET product_source = excluded.product_source
    WHERE known.product_source IS DISTINCT FROM excluded.product_source;
