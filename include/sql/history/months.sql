-- Scenarios by month and step.
-- Grain: scenario × month × step. Reads: history.cohort_day. Parameters: scenarios, from_day, to_day.
-- Writes nothing.
SELECT
    day.scenario,
    CAST(date_trunc('month', day.as_of) AS date) AS month,
    day.step,
    sum(day.entered) AS entered,
    sum(day.due) AS due,
    sum(day.would_send) AS would_send,
    sum(day.segments) AS segments,
    sum(day.cost) AS cost
FROM history.cohort_day AS day
WHERE
    day.scenario = ANY(CAST(:scenarios AS text[]))
    AND day.as_of BETWEEN :from_day AND :to_day
GROUP BY day.scenario, date_trunc('month', day.as_of), day.step
ORDER BY date_trunc('month', day.as_of), day.step, day.scenario;
