-- Take over the rows of a source's loads that were killed or stopped before core saw them.
-- Grain: source row. Reads: raw.load. Writes: raw.entity. Parameters: load_id, source, entity.
-- Twice: nothing is left to take over.
UPDATE raw.entity AS row
SET load_id = :load_id
FROM raw.load AS load
WHERE
    row.load_id = load.load_id
    AND load.source = :source
    AND load.entity = :entity
    AND load.status <> 'loaded'
    AND load.load_id < :load_id;

UPDATE raw.entity AS row
SET superseded_by = :load_id
FROM raw.load AS load
WHERE
    row.superseded_by = load.load_id
    AND load.source = :source
    AND load.entity = :entity
    AND load.status <> 'loaded'
    AND load.load_id < :load_id;
