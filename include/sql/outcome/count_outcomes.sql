-- The outcomes decided on a day.
-- Grain: outcome. Reads: outcome.contact_outcome. Parameters: as_of. Writes nothing.
SELECT
    contact_outcome.outcome,
    count(*) AS contacts
FROM outcome.contact_outcome AS contact_outcome
WHERE contact_outcome.decided_on = :as_of
GROUP BY contact_outcome.outcome
ORDER BY contact_outcome.outcome;
