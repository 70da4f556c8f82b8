-- All days together, by step and arm.
-- Grain: step × arm. Reads: outcome.daily_step. No parameters. Writes nothing.
SELECT
    daily_step.step,
    daily_step.arm,
    sum(daily_step.due) AS due,
    sum(daily_step.sent) AS sent,
    sum(daily_step.delivered) AS delivered,
    sum(daily_step.opened) AS opened,
    sum(daily_step.returned) AS returned,
    sum(daily_step.opted_out) AS opted_out,
    sum(daily_step.cost) AS cost
FROM outcome.daily_step AS daily_step
GROUP BY daily_step.step, daily_step.arm
ORDER BY daily_step.step, daily_step.arm;
