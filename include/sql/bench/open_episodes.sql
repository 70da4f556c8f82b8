-- Bare: open an episode for who reached the first step.
-- Grain: contact × dormant_since. Reads: cohort.dormancy. Writes: cohort.episode, cohort.dormancy.
-- Parameters: as_of. Twice: who has an episode is left alone.
WITH reached AS (
    UPDATE cohort.dormancy AS dormancy
    SET reaches_on = NULL
    WHERE dormancy.reaches_on <= :as_of
    RETURNING dormancy.contact_id, dormancy.dormant_since
)

INSERT INTO cohort.episode (contact_id, dormant_since, opened_on, next_due_on)
SELECT
    reached.contact_id,
    reached.dormant_since,
    :as_of,
    :as_of
FROM reached
ON CONFLICT (contact_id, dormant_since) DO NOTHING;
