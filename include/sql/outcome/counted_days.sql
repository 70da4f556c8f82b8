-- From which day to which there are figures.
-- Grain: one row, of NULLs without one. Reads: outcome.daily_step. No parameters. Writes nothing.
SELECT
    min(daily_step.as_of) AS first_day,
    max(daily_step.as_of) AS last_day
FROM outcome.daily_step AS daily_step;
