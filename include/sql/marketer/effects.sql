-- purpose: the comparisons of an experiment, or of all, as they are kept: for the page, and a spreadsheet
-- grain: experiment x estimand x arm x dimension x value; reads: outcome.effect; writes: nothing
-- parameters: experiment (null: all)
-- twice: it only reads
SELECT
    effect.experiment,
    effect.estimand,
    effect.arm,
    effect.step,
    effect.dimension,
    effect.value,
    effect.from_as_of,
    effect.to_as_of,
    effect.treated,
    effect.control,
    effect.treated_returned,
    effect.control_returned,
    effect.difference,
    effect.ci_low,
    effect.ci_high,
    effect.wald_low,
    effect.wald_high,
    effect.always_low,
    effect.always_high,
    effect.adjusted_difference,
    effect.adjusted_low,
    effect.adjusted_high,
    effect.incremental_returns,
    effect.treated_revenue,
    effect.control_revenue,
    effect.revenue_cap,
    effect.revenue_difference,
    effect.revenue_low,
    effect.revenue_high,
    effect.revenue_adjusted_difference,
    effect.revenue_adjusted_low,
    effect.revenue_adjusted_high,
    effect.incremental_revenue,
    effect.treated_cost,
    effect.control_cost,
    effect.cost_per_incremental_return,
    effect.cost_low,
    effect.cost_high
FROM outcome.effect AS effect
WHERE effect.experiment = :experiment OR CAST(:experiment AS text) IS NULL
ORDER BY effect.experiment, effect.estimand, effect.arm, effect.dimension, effect.value;
