-- The groups of an experiment, as comparisons need them: counts, means, variances and covariances of
-- those whose window is over, all together, by slice, and by the strata that are weighed again.
-- Spending beyond the cap counts as the cap: the share of contacts who spent most (winsorise) are cut
-- down to the next. Grain: estimand × dimension × value × arm; arm '' is all that are no control group,
-- where has_any. Reads: outcome.unit, outcome.experiment. Writes nothing.
-- Parameters: experiment, has_any, through (the last draw that counts; NULL: all).
WITH over AS (
    SELECT
        unit.estimand,
        unit.arm,
        unit.is_control,
        unit.eligible_on,
        unit.step,
        coalesce(unit.lifecycle_class, '') AS class,
        coalesce(unit.language, '') AS language,
        to_char(unit.eligible_on, 'YYYY-MM') AS month,
        concat_ws(
            '|',
            unit.step,
            coalesce(unit.lifecycle_class, ''),
            coalesce(unit.language, ''),
            least(unit.purchases_before, 3),
            unit.control_share
        ) AS stratum,
        CAST(unit.is_returned AS integer) AS returned,
        CAST(unit.revenue AS double precision) AS revenue,
        CAST(unit.spent_before AS double precision) AS before,
        CAST(unit.cost AS double precision) AS cost
    FROM outcome.unit AS unit
    WHERE
        unit.experiment = :experiment
        AND unit.is_over
        AND unit.eligible_on <= coalesce(CAST(:through AS date), 'infinity')
),

cap AS (
    SELECT
        over.estimand,
        CASE
            WHEN experiment.winsorise > 0
                THEN
                    percentile_disc(1 - experiment.winsorise) WITHIN GROUP (ORDER BY over.revenue)
        END AS most
    FROM over
    INNER JOIN outcome.experiment AS experiment ON experiment.experiment = :experiment
    GROUP BY over.estimand, experiment.winsorise
),

counted AS (
    SELECT
        over.estimand,
        over.is_control,
        side.arm,
        over.eligible_on,
        over.step,
        over.class,
        over.language,
        over.month,
        over.stratum,
        over.returned,
        over.revenue,
        over.before,
        over.cost,
        cap.most,
        least(over.revenue, cap.most) AS cut
    FROM over
    INNER JOIN cap ON over.estimand = cap.estimand
    CROSS JOIN
        LATERAL unnest(
            CASE
                WHEN CAST(:has_any AS boolean) AND NOT over.is_control THEN ARRAY[over.arm, '']
                ELSE ARRAY[over.arm]
            END
        ) AS side (arm)
)

SELECT
    counted.estimand,
    CASE
        WHEN grouping(counted.step) = 0 THEN 'step'
        WHEN grouping(counted.class) = 0 THEN 'class'
        WHEN grouping(counted.language) = 0 THEN 'language'
        WHEN grouping(counted.month) = 0 THEN 'month'
        WHEN grouping(counted.stratum) = 0 THEN 'stratum'
        ELSE 'all'
    END AS dimension,
    coalesce(counted.step, counted.class, counted.language, counted.month, counted.stratum, '')
        AS value,
    counted.arm,
    counted.is_control,
    min(counted.eligible_on) AS from_as_of,
    max(counted.eligible_on) AS to_as_of,
    count(*) AS size,
    sum(counted.returned) AS returned,
    sum(counted.revenue) AS revenue,
    max(counted.most) FILTER (WHERE counted.revenue > counted.most) AS cap,
    avg(counted.cut) AS revenue_mean,
    coalesce(var_samp(counted.cut), 0) AS revenue_variance,
    avg(counted.before) AS before_mean,
    coalesce(var_samp(counted.before), 0) AS before_variance,
    coalesce(covar_samp(counted.cut, counted.before), 0) AS revenue_with_before,
    sum(counted.cost) AS cost,
    avg(counted.cost) AS cost_mean,
    coalesce(var_samp(counted.cost), 0) AS cost_variance,
    coalesce(covar_samp(counted.cost, counted.returned), 0) AS cost_with_returned
FROM counted
GROUP BY
    GROUPING SETS (
        (counted.estimand, counted.arm, counted.is_control),
        (counted.estimand, counted.arm, counted.is_control, counted.step),
        (counted.estimand, counted.arm, counted.is_control, counted.class),
        (counted.estimand, counted.arm, counted.is_control, counted.language),
        (counted.estimand, counted.arm, counted.is_control, counted.month),
        (counted.estimand, counted.arm, counted.is_control, counted.stratum)
    );
