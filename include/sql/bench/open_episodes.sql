-- Bare: open an episode for who reached the first step.
-- Grain: contact × dormant_since. Reads: core.contact_activity. Writes: cohort.episode,
-- core.contact_activity. Parameters: as_of, after_days. Twice: who has an episode is left alone.
WITH reached AS (
    UPDATE core.contact_activity AS activity
    SET has_episode = TRUE
    WHERE
        NOT activity.has_episode
        AND activity.quiet_since <= CAST(:as_of AS date) - CAST(:after_days AS integer)
    RETURNING activity.contact_id, activity.quiet_since
)

INSERT INTO cohort.episode (contact_id, dormant_since, opened_on, next_due_on)
SELECT
    reached.contact_id,
    reached.quiet_since,
    :as_of,
    :as_of
FROM reached
ON CONFLICT (contact_id, dormant_since) DO NOTHING;
