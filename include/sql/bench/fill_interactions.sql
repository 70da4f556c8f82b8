-- What the contacts of a benchmark did on some past days, in the order of time.
-- A rank is drawn for each interaction: the lower it is, the more often it comes, so that everybody
-- has a rhythm of their own. Ranks from active_contacts on are contacts who are long gone. A rank's
-- contact is somewhere in the base: neighbours in time are no neighbours in the tables.
-- Grain: interaction. Writes: core.interaction. Parameters: first_day, last_day, contacts,
-- active_contacts, gone_contacts, active_rows and gone_rows (of each day), load_id, at.
-- Twice: refused by the primary key, once it is made; it runs once in a database of its own.
INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, currency,
    product_id, loaded_at, load_id
)
SELECT
    1 + (
        CASE
            WHEN drawn.place <= CAST(:active_rows AS integer)
                THEN CAST(floor(CAST(:active_contacts AS bigint) * drawn.share ^ 2) AS bigint)
            ELSE
                CAST(:active_contacts AS bigint)
                + CAST(floor(CAST(:gone_contacts AS bigint) * drawn.share) AS bigint)
        END * 2147483647
    ) % CAST(:contacts AS bigint),
    'bench',
    drawn.on_day || '/' || drawn.place,
    CAST(
        CASE
            WHEN drawn.draw < 400 THEN 'purchase'
            WHEN drawn.draw < 650 THEN 'visit'
            WHEN drawn.draw < 800 THEN 'loyalty'
            WHEN drawn.draw < 880 THEN 'email_click'
            WHEN drawn.draw < 950 THEN 'login'
            ELSE 'email_open'
        END AS core.interaction_kind
    ),
    CAST(drawn.on_day AS timestamptz) + make_interval(hours => 13, secs => drawn.draw * 25),
    drawn.on_day,
    CASE WHEN drawn.draw < 400 THEN 5 + drawn.draw / 10.0 END,
    CASE WHEN drawn.draw < 400 THEN 'USD' END,
    CASE WHEN drawn.draw < 400 THEN 'p' || drawn.draw END,
    :at,
    :load_id
FROM (
    SELECT
        keyed.on_day,
        keyed.place,
        CAST(hashint8extended(keyed.key, 1) & 4503599627370495 AS double precision)
        / CAST(4503599627370496 AS double precision) AS share,
        (hashint8extended(keyed.key, 2) & 1073741823) % 1000 AS draw
    FROM (
        SELECT
            CAST(:first_day AS date) + day.number AS on_day,
            series.place,
            (CAST(:first_day AS date) + day.number - date '1970-01-01')
            * CAST(1000000 AS bigint) + series.place AS key
        FROM
            generate_series(0, CAST(:last_day AS date) - CAST(:first_day AS date)) AS day (number)
        CROSS JOIN
            generate_series(
                1, CAST(:active_rows AS integer) + CAST(:gone_rows AS integer)
            ) AS series (place)
    ) AS keyed
) AS drawn;
