-- What a source's rows ever said where its YAML looks: names of columns and keys, those that had a
-- value, and the words in the columns of `exclude` and `kind`. A few rows a source, so that a load
-- that matches no rule is compared with all before it without reading them again.
CREATE TABLE raw.seen (
    source text NOT NULL,
    entity text NOT NULL,
    what text NOT NULL CHECK (what IN ('name', 'filled', 'value')),
    name text NOT NULL,     -- the file's column or key
    value text NOT NULL,    -- of a value: the word; else empty
    load_id bigint NOT NULL,    -- that saw it first
    PRIMARY KEY (source, entity, what, name, value)
);
