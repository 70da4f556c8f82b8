-- An experiment begins with each word that draws a control group, and with each pair of variants that
-- it draws: what it looks for is written down.
-- Grain: experiment. Reads: cohort.day. Writes: outcome.experiment. Parameters: currency,
-- horizon_days, attribution_days, returns, detect, power, winsorise, base, amounts. Twice: the first stands.
INSERT INTO outcome.experiment (
    experiment, salt, draw, control_arm, began_on, currency, horizon_days, attribution_days, returns,
    detect, power, winsorise, base, amounts
)
SELECT
    concat_ws(':', 'salt', begun.salt, nullif(begun.draw, '')),
    begun.salt,
    begun.draw,
    begun.control_arm,
    begun.began_on,
    :currency,
    begun.horizon_days,
    :attribution_days,
    CAST(:returns AS jsonb),
    :detect,
    :power,
    :winsorise,
    CAST(:base AS double precision),
    :amounts
FROM (
    SELECT
        day.control_salt AS salt,
        '' AS draw,
        'control' AS control_arm,
        min(day.as_of) AS began_on,
        CAST(:horizon_days AS integer) AS horizon_days
    FROM cohort.day AS day
    WHERE day.control_share > 0
    GROUP BY day.control_salt
    UNION ALL
    (
        SELECT DISTINCT ON (day.control_salt, one.draw)
            day.control_salt,
            one.draw,
            one.control_arm,
            day.as_of,
            one.horizon_days
        FROM cohort.day AS day
        CROSS JOIN
            LATERAL jsonb_to_recordset(day.variants) AS one (
                draw text, control_arm text, horizon_days integer
            )
        ORDER BY day.control_salt, one.draw, day.as_of
    )
) AS begun
ON CONFLICT (experiment) DO NOTHING;
