-- The groups of an experiment, as comparisons need them: counts, means, variances and covariances of
-- those whose window is over, all together, by slice, and by the strata that are weighed again. The
-- units are read once, into cells; the rest is made of the cells.
-- Grain: estimand × dimension × value × arm; arm '' is all that are no control group, where has_any.
-- Reads: outcome.unit. Writes nothing. Parameters: experiment, has_any, caps (of outcome/caps, a JSON
-- array: spending beyond it counts as much), through (the last draw that counts; NULL: all).
WITH cell AS (
    SELECT
        unit.estimand,
        unit.arm,
        unit.is_control,
        unit.step,
        coalesce(unit.lifecycle_class, '') AS class,
        coalesce(unit.language, '') AS language,
        date_trunc('month', unit.eligible_on) AS month,
        least(unit.purchases_before, 3) AS purchases,
        unit.control_share,
        min(unit.eligible_on) AS from_as_of,
        max(unit.eligible_on) AS to_as_of,
        count(*) AS units,
        count(*) FILTER (WHERE unit.is_returned) AS returned,
        sum(money.revenue) AS revenue,
        max(cap.most) FILTER (WHERE unit.revenue > cap.most) AS most,
        sum(money.cut) AS cut,
        sum(money.cut * money.cut) AS cut_squared,
        sum(money.before) AS before,
        sum(money.before * money.before) AS before_squared,
        sum(money.cut * money.before) AS cut_with_before,
        sum(money.cost) AS cost,
        sum(money.cost * money.cost) AS cost_squared,
        coalesce(sum(money.cost) FILTER (WHERE unit.is_returned), 0) AS cost_returned,
        sum(money.net) AS net,
        sum(money.net * money.net) AS net_squared,
        sum(money.outlay) AS outlay,
        sum(money.outlay * money.outlay) AS outlay_squared,
        coalesce(sum(money.outlay) FILTER (WHERE unit.is_returned), 0) AS outlay_returned
    FROM outcome.unit AS unit
    LEFT JOIN
        jsonb_to_recordset(CAST(:caps AS jsonb)) AS cap (estimand outcome.estimand, most numeric)
        ON unit.estimand = cap.estimand
    CROSS JOIN
        LATERAL (
            SELECT
                CAST(unit.revenue AS double precision) AS revenue,
                CAST(least(unit.revenue, cap.most) AS double precision) AS cut,
                CAST(unit.spent_before AS double precision) AS before,
                CAST(unit.cost AS double precision) AS cost,
                CAST(least(unit.net_revenue, cap.most) AS double precision) AS net,
                CAST(unit.cost + unit.discount AS double precision) AS outlay
        ) AS money
    WHERE
        unit.experiment = :experiment
        AND unit.is_over
        AND unit.eligible_on <= coalesce(CAST(:through AS date), 'infinity')
    GROUP BY
        unit.estimand,
        unit.arm,
        unit.is_control,
        unit.step,
        coalesce(unit.lifecycle_class, ''),
        coalesce(unit.language, ''),
        date_trunc('month', unit.eligible_on),
        least(unit.purchases_before, 3),
        unit.control_share
),

sided AS (
    SELECT
        cell.*,
        side.arm AS side,
        to_char(cell.month, 'YYYY-MM') AS month_text,
        concat_ws(
            '|', cell.step, cell.class, cell.language, cell.purchases, cell.control_share
        ) AS stratum
    FROM cell
    CROSS JOIN
        LATERAL unnest(
            CASE
                WHEN CAST(:has_any AS boolean) AND NOT cell.is_control THEN ARRAY[cell.arm, '']
                ELSE ARRAY[cell.arm]
            END
        ) AS side (arm)
),

summed AS (
    SELECT
        sided.estimand,
        CASE
            WHEN grouping(sided.step) = 0 THEN 'step'
            WHEN grouping(sided.class) = 0 THEN 'class'
            WHEN grouping(sided.language) = 0 THEN 'language'
            WHEN grouping(sided.month_text) = 0 THEN 'month'
            WHEN grouping(sided.stratum) = 0 THEN 'stratum'
            ELSE 'all'
        END AS dimension,
        coalesce(
            sided.step, sided.class, sided.language, sided.month_text, sided.stratum, ''
        ) AS value,
        sided.side AS arm,
        sided.is_control,
        min(sided.from_as_of) AS from_as_of,
        max(sided.to_as_of) AS to_as_of,
        CAST(sum(sided.units) AS bigint) AS size,
        CAST(sum(sided.returned) AS bigint) AS returned,
        sum(sided.revenue) AS revenue,
        max(sided.most) AS cap,
        sum(sided.cut) AS cut,
        sum(sided.cut_squared) AS cut_squared,
        sum(sided.before) AS before,
        sum(sided.before_squared) AS before_squared,
        sum(sided.cut_with_before) AS cut_with_before,
        sum(sided.cost) AS cost,
        sum(sided.cost_squared) AS cost_squared,
        sum(sided.cost_returned) AS cost_returned,
        sum(sided.net) AS net,
        sum(sided.net_squared) AS net_squared,
        sum(sided.outlay) AS outlay,
        sum(sided.outlay_squared) AS outlay_squared,
        sum(sided.outlay_returned) AS outlay_returned
    FROM sided
    GROUP BY
        GROUPING SETS (
            (sided.estimand, sided.side, sided.is_control),
            (sided.estimand, sided.side, sided.is_control, sided.step),
            (sided.estimand, sided.side, sided.is_control, sided.class),
            (sided.estimand, sided.side, sided.is_control, sided.language),
            (sided.estimand, sided.side, sided.is_control, sided.month_text),
            (sided.estimand, sided.side, sided.is_control, sided.stratum)
        )
)

SELECT
    summed.estimand,
    summed.dimension,
    summed.value,
    summed.arm,
    summed.is_control,
    summed.from_as_of,
    summed.to_as_of,
    summed.size,
    summed.returned,
    summed.revenue,
    CAST(summed.cap AS double precision) AS cap,
    summed.cost,
    summed.cut / summed.size AS revenue_mean,
    summed.before / summed.size AS before_mean,
    summed.cost / summed.size AS cost_mean,
    summed.net / summed.size AS net_mean,
    summed.outlay / summed.size AS outlay_mean,
    summed.outlay - summed.cost AS discount,
    -- Of one unit alone nothing is known of how far they are apart.
    greatest(
        0, coalesce((summed.cut_squared - summed.cut * summed.cut / summed.size) / freedom.of, 0)
    ) AS revenue_variance,
    greatest(
        0,
        coalesce(
            (summed.before_squared - summed.before * summed.before / summed.size) / freedom.of, 0
        )
    ) AS before_variance,
    greatest(
        0, coalesce((summed.cost_squared - summed.cost * summed.cost / summed.size) / freedom.of, 0)
    ) AS cost_variance,
    greatest(
        0, coalesce((summed.net_squared - summed.net * summed.net / summed.size) / freedom.of, 0)
    ) AS net_variance,
    greatest(
        0,
        coalesce(
            (summed.outlay_squared - summed.outlay * summed.outlay / summed.size) / freedom.of, 0
        )
    ) AS outlay_variance,
    coalesce(
        (summed.outlay_returned - summed.outlay * summed.returned / summed.size) / freedom.of, 0
    ) AS outlay_with_returned,
    coalesce(
        (summed.cut_with_before - summed.cut * summed.before / summed.size) / freedom.of, 0
    ) AS revenue_with_before,
    coalesce(
        (summed.cost_returned - summed.cost * summed.returned / summed.size) / freedom.of, 0
    ) AS cost_with_returned
FROM summed
CROSS JOIN LATERAL (SELECT nullif(summed.size - 1, 0) AS of) AS freedom;
