-- A replay's days together.
-- Grain: step. Reads: history.cohort_day. Parameters: scenario, from_day, to_day. Writes nothing.
SELECT
    day.step,
    sum(day.entered) AS entered,
    avg(day.dormant) AS dormant,
    sum(day.due) AS due,
    sum(day.would_send) AS would_send,
    sum(day.segments) AS segments,
    sum(day.cost) AS cost
FROM history.cohort_day AS day
WHERE day.scenario = :scenario AND day.as_of BETWEEN :from_day AND :to_day
GROUP BY day.step
ORDER BY day.step;
