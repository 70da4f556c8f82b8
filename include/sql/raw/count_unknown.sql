-- Count the rows that name nobody known, of the loads since the last decided day: their id leads to
-- no contact that a card describes. A row that says anew what was there before counts no more.
-- Grain: source × whether its first load brought them (is_first). example_id, path, line: the first unknown
-- row's; known_id: an id of the same load that is known; has_zero_twin: whether the first unknown one is
-- known with other zeros before it. Reads: raw.entity, raw.contact, raw.file,
-- core.known_id. Writes: raw.load (rows_unknown). Parameters: entity, as_of,
-- after_load_id. Twice: the same counts, for as long as no card comes.
WITH begun AS (
    SELECT
        load.source,
        min(load.as_of) AS as_of
    FROM raw.load AS load
    WHERE load.entity = :entity AND load.status = 'loaded' AND load.rows_loaded > 0
    GROUP BY load.source
),

fresh AS (
    SELECT
        load.load_id,
        load.source,
        load.as_of = begun.as_of AS is_first
    FROM raw.load AS load
    INNER JOIN begun ON load.source = begun.source
    WHERE
        load.entity = :entity
        AND load.status = 'loaded'
        AND load.load_id > :after_load_id
        AND load.as_of <= CAST(:as_of AS date)
),

named AS (
    SELECT
        fresh.load_id,
        fresh.source,
        fresh.is_first,
        row.contact_source,
        row.source_contact_id,
        count(*) AS times,
        min(ARRAY[row.file_id, row.line]) AS place
    FROM fresh
    INNER JOIN raw.entity AS row ON fresh.load_id = row.load_id
    LEFT JOIN raw.entity AS past
        ON
            row.source = past.source
            AND row.record_key = past.record_key
            AND past.status = 'superseded'
            AND past.load_id <= :after_load_id
    WHERE row.status = 'loaded' AND past.load_id IS NULL
    GROUP BY
        fresh.load_id, fresh.source, fresh.is_first, row.contact_source, row.source_contact_id
),

judged AS (
    SELECT
        named.*,
        EXISTS(
            SELECT 1 FROM core.known_id AS known
            WHERE
                known.source = named.contact_source
                AND known.source_contact_id = named.source_contact_id
        ) AS is_known
    FROM named
),

counted AS (
    UPDATE raw.load AS load
    SET rows_unknown = told.unknown
    FROM (
        SELECT
            judged.load_id,
            coalesce(sum(judged.times) FILTER (WHERE NOT judged.is_known), 0) AS unknown
        FROM judged
        GROUP BY judged.load_id
    ) AS told
    WHERE load.load_id = told.load_id
),

summed AS (
    SELECT
        judged.source,
        judged.is_first,
        sum(judged.times) AS rows_new,
        coalesce(sum(judged.times) FILTER (WHERE NOT judged.is_known), 0) AS rows_unknown,
        min(judged.place) FILTER (WHERE NOT judged.is_known) AS place,
        min(judged.source_contact_id) FILTER (WHERE judged.is_known) AS known_id
    FROM judged
    GROUP BY judged.source, judged.is_first
)

SELECT DISTINCT
    summed.source,
    summed.is_first,
    summed.rows_new,
    summed.rows_unknown,
    example.contact_source,
    example.source_contact_id AS example_id,
    file.path,
    summed.place[2] AS line,
    summed.known_id,
    twin.source IS NOT NULL AS has_zero_twin
FROM summed
LEFT JOIN judged AS example
    ON
        summed.source = example.source
        AND summed.is_first = example.is_first
        AND summed.place = example.place
LEFT JOIN raw.file AS file ON file.file_id = summed.place[1]
LEFT JOIN core.known_id AS twin
    ON
        example.contact_source = twin.source
        AND twin.source_contact_id = ANY(raw.zero_twins(example.source_contact_id))
ORDER BY summed.source, summed.is_first;
