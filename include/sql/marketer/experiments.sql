-- purpose: the experiments of which something is known, the control group's that runs first, and where they stand
-- grain: experiment; reads: outcome.experiment, cohort.day; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    experiment.experiment,
    experiment.salt,
    experiment.draw,
    experiment.control_arm,
    experiment.began_on,
    experiment.currency,
    experiment.horizon_days,
    experiment.attribution_days,
    experiment.detect,
    experiment.power,
    experiment.winsorise,
    experiment.amounts,
    experiment.base,
    experiment.planned_units,
    experiment.planned_through,
    experiment.drawn_treated,
    experiment.drawn_control,
    experiment.expected_control,
    experiment.ratio_p,
    experiment.ratio_always_p,
    experiment.mixed_phones,
    experiment.open_units,
    experiment.more_units,
    experiment.more_weeks,
    experiment.counted_on,
    experiment.salt IS NOT NULL AS is_own,
    (
        SELECT count(DISTINCT put.control_share) > 1
        FROM cohort.day AS day
        CROSS JOIN
            LATERAL (
                SELECT
                    '' AS draw,
                    day.control_share
                UNION ALL
                SELECT
                    one.draw,
                    one.control_share
                FROM
                    jsonb_to_recordset(day.variants) AS one (
                        draw text, control_share double precision
                    )
            ) AS put
        WHERE day.control_salt = experiment.salt AND put.draw = experiment.draw
    ) AS has_other_shares
FROM outcome.experiment AS experiment
WHERE experiment.counted_on IS NOT NULL
ORDER BY
    is_own DESC,
    experiment.draw = '' DESC,
    experiment.began_on DESC,
    experiment.experiment ASC;
