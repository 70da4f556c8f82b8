-- What a loaded experiment says of all its units, by group; '' is all groups but control together.
-- Grain: arm. Reads: outcome.effect. Writes nothing. Parameters: experiment.
SELECT
    effect.arm,
    effect.treated,
    effect.control,
    effect.treated_returned,
    effect.control_returned,
    effect.difference,
    effect.ci_low,
    effect.ci_high,
    effect.wald_low,
    effect.wald_high,
    effect.revenue_difference,
    effect.revenue_low,
    effect.revenue_high
FROM outcome.effect AS effect
WHERE effect.experiment = :experiment AND effect.dimension = 'all'
ORDER BY effect.arm = '' ASC, effect.arm ASC;
