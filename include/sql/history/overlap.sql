-- To whom two scenarios would have written: both, or one alone; all, by lifecycle class, and by language
-- (as they are known now). A merged contact is the person that it is.
-- Grain: dimension × value. Reads: history.audience, core.contact. Parameters: scenario, other, from_day,
-- to_day. Writes nothing.
WITH written AS (
    SELECT
        core.person(contact.contact_id, contact.merged_into) AS person_id,
        bool_or(audience.scenario = :scenario) AS is_in_one,
        bool_or(audience.scenario = :other) AS is_in_other
    FROM history.audience AS audience
    INNER JOIN core.contact AS contact ON audience.contact_id = contact.contact_id
    WHERE
        audience.scenario IN (:scenario, :other)
        AND audience.as_of BETWEEN :from_day AND :to_day
        AND audience.reason = 'due'
    GROUP BY core.person(contact.contact_id, contact.merged_into)
),

known AS (
    SELECT
        written.is_in_one,
        written.is_in_other,
        coalesce(contact.lifecycle_class, '') AS lifecycle_class,
        coalesce(contact.language, '') AS language
    FROM written
    INNER JOIN core.contact AS contact ON written.person_id = contact.contact_id
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
