-- Who was drawn, whether their window is over or not, by the share of the control group on the day.
-- Grain: control_share; none of an experiment that was loaded. Reads: outcome.unit. Writes nothing.
-- Parameters: experiment, since: of the latest. open_units: whose window on the ladder is not over.
SELECT
    unit.control_share,
    count(*) FILTER (WHERE NOT unit.is_control) AS treated,
    count(*) FILTER (WHERE unit.is_control) AS control,
    count(*) FILTER (WHERE NOT unit.is_over) AS open_units,
    count(*) FILTER (WHERE unit.eligible_on > CAST(:since AS date)) AS lately
FROM outcome.unit AS unit
WHERE unit.experiment = :experiment AND unit.estimand = 'ladder'
GROUP BY unit.control_share
ORDER BY unit.control_share;
