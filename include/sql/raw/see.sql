-- Keep what a file said where its source's YAML looks.
-- Grain: source × entity × what × name × value. Writes: raw.seen. Parameters: source, entity,
-- load_id, what, names, values. Twice: what is known stays with the load that saw it first.
INSERT INTO raw.seen (source, entity, what, name, value, load_id)
SELECT
    :source,
    :entity,
    said.what,
    said.name,
    said.value,
    :load_id
FROM
    unnest(CAST(:what AS text[]), CAST(:names AS text[]), CAST(:values AS text[])) AS said (
        what, name, value
    )
ON CONFLICT DO NOTHING;
