-- Whether a source ever gave a row.
-- Grain: one row. Reads: raw.entity. Parameters: source.
SELECT EXISTS(SELECT 1 FROM raw.entity AS row WHERE row.source = :source) AS has_rows;
