-- The contacts of a simulated world, drawn one after another over so many days, and already counted.
-- Grain: contact. Writes: outcome.eligible. Parameters: contacts (a digit each, in the order of their
-- draws: 1 for who is held back, 2 for who reads Italian, 4 for who comes back, added up), salt, share,
-- first_day, days, through. Twice: refused by the primary key.
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
FROM (
    SELECT
        told.place,
        CAST(told.digit AS integer) & 1 > 0 AS is_control,
        CAST(told.digit AS integer) & 2 > 0 AS is_italian,
        CAST(told.digit AS integer) & 4 > 0 AS is_back
    FROM
        string_to_table(CAST(:contacts AS text), NULL) WITH ORDINALITY AS told (digit, place)
) AS drawn
CROSS JOIN
    LATERAL (
        SELECT
            CAST(:first_day AS date)
            + CAST(
                (drawn.place - 1) * CAST(:days AS integer)
                / length(CAST(:contacts AS text)) AS integer
            ) AS on_day
    ) AS seen;
