-- Whether a load of a source has told a person this before.
-- Grain: one row. Reads: raw.load. Parameters: source, entity, text. Writes nothing.
SELECT
    EXISTS(
        SELECT 1
        FROM raw.load AS load
        WHERE
            load.source = :source
            AND load.entity = :entity
            AND load.status = 'loaded'
            AND strpos(load.message, :text) > 0
    ) AS is_told;
