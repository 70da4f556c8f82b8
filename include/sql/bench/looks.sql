-- What somebody would see who looks at an experiment every day: its ladder's groups, through each day.
-- Grain: day. Reads: outcome.unit. Writes nothing. Parameters: experiment.
SELECT
    unit.eligible_on,
    sum(count(*) FILTER (WHERE NOT unit.is_control)) OVER days AS treated,
    sum(count(*) FILTER (WHERE unit.is_returned AND NOT unit.is_control)) OVER days
        AS treated_returned,
    sum(count(*) FILTER (WHERE unit.is_control)) OVER days AS control,
    sum(count(*) FILTER (WHERE unit.is_returned AND unit.is_control)) OVER days
        AS control_returned
FROM outcome.unit AS unit
WHERE unit.experiment = :experiment AND unit.estimand = 'ladder' AND unit.is_over
GROUP BY unit.eligible_on
WINDOW days AS (ORDER BY unit.eligible_on)
ORDER BY unit.eligible_on;
