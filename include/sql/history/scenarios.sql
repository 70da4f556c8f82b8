-- The scenarios that were replayed: their days, under how many policies, whether those
-- who were due were counted (replays of old did not), and whether they are kept.
-- Grain: scenario. Reads: history.cohort_day, history.audience. No parameters. Writes nothing.
SELECT
    replayed.scenario,
    replayed.first_day,
    replayed.last_day,
    replayed.days,
    replayed.policies,
    replayed.is_counted,
    coalesce(kept.is_there, FALSE) AS has_audience
FROM (
    SELECT
        day.scenario,
        min(day.as_of) AS first_day,
        max(day.as_of) AS last_day,
        count(DISTINCT day.as_of) AS days,
        count(DISTINCT day.policy_version) AS policies,
        bool_and(day.due IS NOT NULL) AS is_counted
    FROM history.cohort_day AS day
    GROUP BY day.scenario
) AS replayed
LEFT JOIN
    (
        SELECT
            audience.scenario,
            TRUE AS is_there
        FROM history.audience AS audience
        GROUP BY audience.scenario
    ) AS kept
    ON replayed.scenario = kept.scenario
ORDER BY replayed.scenario;
