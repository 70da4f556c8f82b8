-- Who was drawn into which group of an experiment, and what became of them in its window: the contacts
-- of the journey's own, by their first eligibility, and the rows of those loaded from files. A contact
-- drawn on a day without a control group was not drawn. arm: of the control group's draw, treatment or
-- control; of a step's variants, which of them. variant: of the step at which they were drawn. discount: what coupons took off the
-- revenue, or, as the experiment says of amounts, have taken off it already; net_revenue: without it.
-- Grain: experiment × estimand × unit. Reads: outcome.eligible, outcome.experiment,
-- outcome.experiment_unit. is_over: the sources were complete through the window's end when it was
-- counted; until then what became of the unit says nothing.
CREATE OR REPLACE VIEW outcome.unit AS
SELECT
    experiment.experiment,
    seen.estimand,
    CAST(eligible.contact_id AS text) AS unit,
    eligible.contact_id,
    drawn.arm,
    drawn.arm = experiment.control_arm AS is_control,
    eligible.eligible_on,
    eligible.eligible_on + seen.window_days AS matures_on,
    coalesce(eligible.counted_on >= eligible.eligible_on + seen.window_days, FALSE) AS is_over,
    eligible.step,
    eligible.variant,
    eligible.lifecycle_class,
    eligible.language,
    eligible.control_share,
    eligible.purchases_before,
    eligible.spent_before,
    coalesce(eligible.returned_on <= eligible.eligible_on + seen.window_days, FALSE) AS is_returned,
    seen.revenue,
    seen.cost,
    seen.discount,
    CASE experiment.amounts
        WHEN 'full' THEN seen.revenue - seen.discount ELSE seen.revenue
    END AS net_revenue
FROM outcome.eligible AS eligible
INNER JOIN outcome.experiment AS experiment
    ON eligible.salt = experiment.salt AND eligible.draw = experiment.draw
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN eligible.draw = '' THEN CAST(eligible.arm AS text)
                ELSE eligible.variant
            END AS arm
    ) AS drawn
CROSS JOIN
    LATERAL (
        VALUES
        (
            CAST('ladder' AS outcome.estimand),
            experiment.horizon_days,
            eligible.ladder_revenue,
            eligible.ladder_cost,
            eligible.ladder_discount
        ),
        (
            CAST('first_step' AS outcome.estimand),
            experiment.attribution_days,
            eligible.step_revenue,
            eligible.step_cost,
            eligible.step_discount
        )
    ) AS seen (estimand, window_days, revenue, cost, discount)
WHERE eligible.control_share > 0
UNION ALL
SELECT
    loaded.experiment,
    CAST('loaded' AS outcome.estimand),
    loaded.unit,
    NULL,
    loaded.arm,
    loaded.arm = experiment.control_arm,
    loaded.eligible_on,
    loaded.eligible_on,
    TRUE,
    loaded.step,
    NULL,
    loaded.lifecycle_class,
    loaded.language,
    NULL,
    0,
    0,
    loaded.returned,
    loaded.revenue,
    loaded.cost,
    0,
    loaded.revenue
FROM outcome.experiment_unit AS loaded
INNER JOIN outcome.experiment AS experiment ON loaded.experiment = experiment.experiment;
