-- What the active contacts of a benchmark do on new days, as a load brings it into raw: drawn as in
-- bench/fill_interactions.
-- Grain: source row. Writes: raw.interaction. Parameters: first_day, last_day, contacts,
-- active_contacts, active_rows (of each day), load_id.
-- Twice: refused by the unique index of current rows.
INSERT INTO raw.interaction (
    load_id, file_id, line, source, record_key, record_hash, dated_on, status, record,
    contact_source, source_contact_id, kind, occurred_at, amount, currency, product_id
)
SELECT
    :load_id,
    0,
    drawn.place,
    'bench',
    drawn.on_day || '/' || drawn.place,
    md5(CAST(drawn.key AS text)),
    drawn.on_day,
    'loaded',
    jsonb_build_object('id', drawn.on_day || '/' || drawn.place, 'total', drawn.draw),
    'bench',
    'c' || 1 + (
        CAST(floor(CAST(:active_contacts AS bigint) * drawn.share ^ 2) AS bigint) * 2147483647
    ) % CAST(:contacts AS bigint),
    CASE
        WHEN drawn.draw < 400 THEN 'purchase'
        WHEN drawn.draw < 650 THEN 'visit'
        WHEN drawn.draw < 800 THEN 'loyalty'
        WHEN drawn.draw < 880 THEN 'email_click'
        WHEN drawn.draw < 950 THEN 'login'
        ELSE 'email_open'
    END,
    CAST(drawn.on_day AS timestamptz) + make_interval(hours => 13, secs => drawn.draw * 25),
    CASE WHEN drawn.draw < 400 THEN 5 + drawn.draw / 10.0 END,
    CASE WHEN drawn.draw < 400 THEN 'USD' END,
    CASE WHEN drawn.draw < 400 THEN 'p' || drawn.draw END
FROM (
    SELECT
        keyed.on_day,
        keyed.place,
        keyed.key,
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
        CROSS JOIN generate_series(1, CAST(:active_rows AS integer)) AS series (place)
    ) AS keyed
) AS drawn;
