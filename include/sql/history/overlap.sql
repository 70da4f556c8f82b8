-- To whom two scenarios would have written: both, or one alone; all, by lifecycle class, and by language
-- (as they are known now).
-- Grain: dimension × value. Reads: history.would_be_text, core.contact. Parameters: scenario, other, from_day,
-- to_day. Writes nothing.
WITH written AS (
    SELECT
        text.contact_id,
        bool_or(text.scenario = :scenario) AS is_in_one,
        bool_or(text.scenario = :other) AS is_in_other
    FROM history.would_be_text AS text
    WHERE text.scenario IN (:scenario, :other) AND text.as_of BETWEEN :from_day AND :to_day
    GROUP BY text.contact_id
),

known AS (
    SELECT
        written.is_in_one,
        written.is_in_other,
        coalesce(contact.lifecycle_class, '') AS lifecycle_class,
        coalesce(contact.language, '') AS language
    FROM written
    INNER JOIN core.contact AS contact ON written.contact_id = contact.contact_id
),

part AS (
    SELECT
        0 AS place,
        'all' AS dimension,
        '' AS value,
        known.is_in_one,
        known.is_in_other
    FROM known
    UNION ALL
    SELECT
        1,
        'class',
        known.lifecycle_class,
        known.is_in_one,
        known.is_in_other
    FROM known
    UNION ALL
    SELECT
        2,
        'language',
        known.language,
        known.is_in_one,
        known.is_in_other
    FROM known
)

SELECT
    part.dimension,
    part.value,
    count(*) FILTER (WHERE part.is_in_one AND part.is_in_other) AS in_both,
    count(*) FILTER (WHERE part.is_in_one AND NOT part.is_in_other) AS in_one,
    count(*) FILTER (WHERE part.is_in_other AND NOT part.is_in_one) AS in_other
FROM part
GROUP BY part.place, part.dimension, part.value
ORDER BY part.place ASC, count(*) DESC, part.value ASC;
