-- The product that an interaction's product_id means, if it is known and is one.
-- Grain: product, one or none. Reads: core.product, core.product_source.
CREATE OR REPLACE FUNCTION core.product_of(interaction_source text, product_id text)
RETURNS SETOF core.product LANGUAGE sql STABLE AS $$
SELECT product.*
FROM core.product AS product
LEFT JOIN core.product_source AS said ON said.source = interaction_source
WHERE
    product.source_product_id = product_id
    AND (
        product.source = coalesce(said.product_source, interaction_source)
        OR (
            said.product_source IS NULL
            AND NOT EXISTS (
                SELECT 1
                FROM core.product AS other
                WHERE
                    other.source_product_id = product.source_product_id
                    AND other.source <> product.source
            )
        )
    )
$$;
