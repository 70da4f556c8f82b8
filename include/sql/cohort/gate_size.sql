-- How many a day is to write to, and how many is usual: of the last days that went out, however long
-- ago, so that a gate does not open by being closed for long. A day on which nobody was written to
-- says nothing of what is usual, and a stopped one did not go out.
-- Grain: one row. Reads: cohort.day (one row a day). Parameters: as_of, over_days (days that went
-- out). Writes nothing.
SELECT
    day.sends,
    usual.days_sent,
    usual.median_sends,
    day.as_of - (
        SELECT max(earlier.as_of) FROM cohort.day AS earlier WHERE earlier.as_of < day.as_of
    ) AS days_since
FROM cohort.day AS day
CROSS JOIN (
    SELECT
        count(*) AS days_sent,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY past.sends) AS median_sends
    FROM (
        SELECT gone.sends
        FROM cohort.day AS gone
        WHERE gone.as_of < :as_of AND gone.released_at IS NOT NULL AND gone.sends > 0
        ORDER BY gone.as_of DESC
        LIMIT :over_days
    ) AS past
) AS usual
WHERE day.as_of = :as_of;
