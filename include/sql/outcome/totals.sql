-- All days together, by step and arm: days whose window is over, and days whose window is still
-- open, apart.
-- Grain: step × arm × is_open. Reads: outcome.daily_step, cohort.day. Parameters: attribution_days.
-- Writes nothing.
SELECT
    daily_step.step,
    daily_step.arm,
    outcome.is_window_open(daily_step.as_of, CAST(:attribution_days AS integer), latest.as_of)
        AS is_open,
    sum(daily_step.due) AS due,
    sum(daily_step.sent) AS sent,
    sum(daily_step.delivered) AS delivered,
    sum(daily_step.opened) AS opened,
    sum(daily_step.returned) AS returned,
    sum(daily_step.opted_out) AS opted_out,
    sum(daily_step.cost) AS cost
FROM outcome.daily_step AS daily_step
CROSS JOIN (SELECT max(day.as_of) AS as_of FROM cohort.day AS day) AS latest
GROUP BY daily_step.step, daily_step.arm, is_open
ORDER BY daily_step.step, daily_step.arm, is_open;
