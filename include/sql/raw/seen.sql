-- What was ever seen of a source; is_before: by a load that core has taken.
-- Grain: what × name × value. Reads: raw.seen, raw.load. Parameters: source, entity. Writes nothing.
SELECT
    seen.what,
    seen.name,
    seen.value,
    coalesce(load.status = 'loaded', TRUE) AS is_before
FROM raw.seen AS seen
LEFT JOIN raw.load AS load ON seen.load_id = load.load_id
WHERE seen.source = :source AND seen.entity = :entity;
