-- How many the journey has given up of late for not opening anything, and of how many it knows.
-- Ladders end in the evening, after the gates of their day: the day at the far end counts too, and
-- where days were missed, all since the last one that had gates.
-- Grain: one row. Reads: outcome.contact_outcome, cohort.day. Parameters: as_of, over_days.
-- Writes nothing.
WITH judged AS (
    SELECT
        day.as_of,
        day.contacts,
        least(
            day.as_of - CAST(:over_days AS integer),
            (SELECT max(earlier.as_of) FROM cohort.day AS earlier WHERE earlier.as_of < day.as_of),
            -- While nothing goes out, what closed the gate stays in sight.
            (
                SELECT max(gone.as_of)
                FROM cohort.day AS gone
                WHERE gone.as_of < day.as_of AND gone.released_at IS NOT NULL AND gone.sends > 0
            ) - CAST(:over_days AS integer)
        ) AS from_day
    FROM cohort.day AS day
    WHERE day.as_of = :as_of
)

SELECT
    judged.contacts,
    judged.from_day,
    count(contact_outcome.contact_id) AS given_up
FROM judged
LEFT JOIN outcome.contact_outcome AS contact_outcome
    ON
        contact_outcome.decided_on BETWEEN judged.from_day AND judged.as_of
        AND contact_outcome.outcome = 'unsubscribed'
GROUP BY judged.contacts, judged.from_day;
