-- Open an episode for every contact that has reached the first threshold and has none for this
-- dormancy yet. A contact that was missed for days is opened late, never left out.
-- Grain: contact × dormant_since. Reads: core.contact_activity, core.contact.
-- Writes: cohort.episode, core.contact_activity. Parameters: as_of, first_days.
-- Twice: a contact with an episode is not looked at again.
WITH reached AS (
    SELECT
        activity.contact_id,
        activity.quiet_since
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE
        NOT activity.has_episode
        AND activity.quiet_since <= CAST(:as_of AS date) - CAST(:first_days AS integer)
        AND activity.visible_on <= :as_of
        AND contact.merged_into IS NULL
        AND contact.status <> 'erased'
),

opened AS (
    INSERT INTO cohort.episode (contact_id, dormant_since, opened_on, next_due_on)
    SELECT
        reached.contact_id,
        reached.quiet_since,
        :as_of,
        :as_of
    FROM reached
    ON CONFLICT (contact_id, dormant_since) DO NOTHING
)

UPDATE core.contact_activity AS activity
SET has_episode = TRUE
FROM reached
WHERE activity.contact_id = reached.contact_id;
