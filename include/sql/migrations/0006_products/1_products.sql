-- What there is to buy, as a shop's list says, so that a text can name what somebody looked at or
-- bought.
CREATE TABLE raw.product (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,     -- source_product_id
    record_hash text NOT NULL,
    dated_on date,                -- always NULL: a product has no day to wait for
    status raw.row_status NOT NULL,
    superseded_by bigint,         -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    source_product_id text NOT NULL,
    name text,
    category text,
    url text,
    image_url text,
    price numeric,
    currency text,
    available boolean
);
CREATE UNIQUE INDEX product_current ON raw.product (source, record_key)
WHERE status <> 'superseded';
CREATE INDEX product_by_load ON raw.product (load_id);
CREATE INDEX product_past ON raw.product (source, record_key) WHERE status = 'superseded';
CREATE INDEX product_superseded ON raw.product (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX product_waiting ON raw.product (source, dated_on) WHERE status = 'waiting';

-- Not a table of people: on Citus a reference table, a copy on every node. The key begins with the
-- id, by which products are looked up whose source is not known.
CREATE TABLE core.product (
    source text NOT NULL,
    source_product_id text NOT NULL,
    name text,
    category text,
    url text,                       -- https
    image_url text,                 -- https
    price numeric,
    currency text,
    is_available boolean NOT NULL,  -- an unavailable product is recommended to nobody
    load_id bigint NOT NULL,
    PRIMARY KEY (source_product_id, source)
);

-- The sources of interactions, and whose product ids theirs are. Not said (NULL): their own, or
-- those of the one source that knows the id.
CREATE TABLE core.product_source (
    source text PRIMARY KEY,
    product_source text
);
INSERT INTO core.product_source (source)
SELECT DISTINCT load.source
FROM raw.load AS load
WHERE load.entity = 'interaction';

-- The product that an interaction's product_id means, if it is known and is one.
CREATE FUNCTION core.product_of(interaction_source text, product_id text)
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

-- Who bought a product, the newest first: what is bought together is asked of these.
CREATE INDEX interaction_by_product
ON core.interaction (product_id, source, occurred_on DESC, occurred_at DESC)
WHERE product_id IS NOT NULL AND kind IN ('purchase', 'loyalty');
