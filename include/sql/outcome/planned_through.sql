-- The day through which the first contacts, in the order in which they were drawn, are as many as
-- planned: their windows are over. NULL: not so many yet.
-- Grain: one row. Reads: outcome.unit. Writes nothing. Parameters: experiment, planned_units.
SELECT min(days.eligible_on) AS planned_through
FROM (
    SELECT
        unit.eligible_on,
        sum(count(*)) OVER (ORDER BY unit.eligible_on) AS units
    FROM outcome.unit AS unit
    WHERE unit.experiment = :experiment AND unit.estimand = 'ladder' AND unit.is_over
    GROUP BY unit.eligible_on
) AS days
WHERE days.units >= :planned_units;
