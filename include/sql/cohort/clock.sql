-- The simulated clock by which the latest day was decided, if one was.
-- Grain: one row or none. Reads: cohort.clock, cohort.day. No parameters. Writes nothing.
SELECT
    clock.simulated_now,
    clock.noted_at,
    latest.as_of
FROM cohort.clock AS clock
CROSS JOIN (
    SELECT
        day.as_of,
        day.decided_at
    FROM cohort.day AS day
    ORDER BY day.as_of DESC
    LIMIT 1
) AS latest
-- A day that the wall's clock has decided since is later than any simulated one of the past.
WHERE latest.decided_at <= clock.simulated_now;
