-- Beyond what the spending of a unit counts as this much: the share of units who spent most
-- (winsorise) are cut down to the next. Of units whose window is over. NULL: so few spent anything.
-- Grain: estimand; none where nobody is to be cut down. Reads: outcome.unit, outcome.experiment. Writes
-- nothing. Parameters: experiment, through (the last draw that counts; NULL: all).
SELECT
    sized.estimand,
    (
        SELECT unit.revenue
        FROM outcome.unit AS unit
        WHERE
            unit.experiment = :experiment
            AND unit.estimand = sized.estimand
            AND unit.is_over
            AND unit.revenue > 0
            AND unit.eligible_on <= coalesce(CAST(:through AS date), 'infinity')
        ORDER BY unit.revenue DESC
        LIMIT 1 OFFSET sized.units_cut
    ) AS most
FROM (
    SELECT
        unit.estimand,
        CAST(floor(experiment.winsorise * count(*)) AS bigint) AS units_cut
    FROM outcome.experiment AS experiment
    INNER JOIN outcome.unit AS unit ON experiment.experiment = unit.experiment
    WHERE
        experiment.experiment = :experiment
        AND experiment.winsorise > 0
        AND unit.is_over
        AND unit.eligible_on <= coalesce(CAST(:through AS date), 'infinity')
    GROUP BY unit.estimand, experiment.winsorise
) AS sized;
