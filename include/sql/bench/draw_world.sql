-- The contacts of a simulated world, drawn one after another over so many days, and already counted.
-- Grain: contact. Writes: outcome.eligible. Parameters: held_back, italian, came_back (of each, in the
-- order of their draws), salt, share, first_day, days, through. Twice: refused by the primary key.
INSERT INTO outcome.eligible (
    contact_id, salt, dormant_since, arm, eligible_on, step, behaviour, control_share, language,
    purchases_before, spent_before, returned_on, counted_on
)
SELECT
    drawn.place,
    :salt,
    seen.on_day,
    CAST(CASE WHEN drawn.is_control THEN 'control' ELSE 'treatment' END AS cohort.arm),
    seen.on_day,
    'survey',
    'any',
    :share,
    CASE WHEN drawn.is_italian THEN 'it' ELSE 'en' END,
    0,
    0,
    CASE WHEN drawn.is_back THEN seen.on_day + 1 END,
    CAST(:through AS date)
FROM
    unnest(
        CAST(:held_back AS boolean[]), CAST(:italian AS boolean[]), CAST(:came_back AS boolean[])
    ) WITH ORDINALITY AS drawn (is_control, is_italian, is_back, place)
CROSS JOIN
    LATERAL (
        SELECT
            CAST(:first_day AS date)
            + CAST(
                (drawn.place - 1) * CAST(:days AS integer)
                / cardinality(CAST(:held_back AS boolean[])) AS integer
            ) AS on_day
    ) AS seen;
