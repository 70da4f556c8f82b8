-- Open an episode for every contact that has reached the first threshold and has none for this
-- dormancy yet. A contact that was missed for days is opened late, never left out. An episode that
-- was closed by a return which its source took back since goes on where it stood.
-- Grain: contact × dormant_since. Reads: core.contact_activity, core.contact.
-- Writes: cohort.episode, core.contact_activity, outcome.contact_outcome.
-- Parameters: as_of, step_days. Twice: a contact with an episode is not looked at again.
WITH reached AS (
    SELECT
        activity.contact_id,
        activity.quiet_since
    FROM core.contact_activity AS activity
    INNER JOIN core.contact AS contact ON activity.contact_id = contact.contact_id
    WHERE
        NOT activity.has_episode
        AND activity.quiet_since
        <= CAST(:as_of AS date) - (SELECT min(days) FROM unnest(CAST(:step_days AS integer[])) AS days)
        AND activity.visible_on <= :as_of
        AND contact.merged_into IS NULL
        AND contact.status <> 'erased'
),

opened AS (
    INSERT INTO cohort.episode AS episode (contact_id, dormant_since, opened_on, next_due_on)
    SELECT
        reached.contact_id,
        reached.quiet_since,
        :as_of,
        :as_of
    FROM reached
    ON CONFLICT (contact_id, dormant_since) DO UPDATE
        SET
            returned_on = NULL,
            closed_on = NULL,
            next_due_on = (
                SELECT episode.dormant_since + min(days)
                FROM unnest(CAST(:step_days AS integer[])) AS days
                WHERE days > episode.done_days
            )
        WHERE episode.closed_on IS NOT NULL AND episode.returned_on IS NOT NULL
    RETURNING episode.contact_id, episode.dormant_since
),

forgotten AS (
    DELETE FROM outcome.contact_outcome AS contact_outcome
    USING opened
    WHERE
        contact_outcome.contact_id = opened.contact_id
        AND contact_outcome.dormant_since = opened.dormant_since
)

UPDATE core.contact_activity AS activity
SET has_episode = TRUE
FROM reached
WHERE activity.contact_id = reached.contact_id;
