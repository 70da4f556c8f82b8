-- How many the journey has given up of late for not opening anything, and of how many it knows.
-- Grain: one row. Reads: outcome.contact_outcome, cohort.day. Parameters: as_of, over_days.
-- Writes nothing.
SELECT
    day.contacts,
    (
        SELECT count(*)
        FROM outcome.contact_outcome AS contact_outcome
        WHERE
            contact_outcome.outcome = 'unsubscribed'
            AND contact_outcome.decided_on > CAST(:as_of AS date) - CAST(:over_days AS integer)
            AND contact_outcome.decided_on <= :as_of
    ) AS given_up
FROM cohort.day AS day
WHERE day.as_of = :as_of;
