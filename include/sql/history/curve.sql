-- A scenario's return curve.
-- Grain: inactive_days × within_days. Reads: history.return_curve. Parameters: scenario.
-- Writes nothing.
SELECT
    curve.inactive_days,
    curve.within_days,
    curve.at_risk,
    curve.returned
FROM history.return_curve AS curve
WHERE curve.scenario = :scenario
ORDER BY curve.inactive_days, curve.within_days;
