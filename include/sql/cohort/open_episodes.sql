-- Open an episode for every contact that has reached the first step and has none for this dormancy
-- yet. A contact that was missed for days is opened late, never left out. An episode that was closed
-- by a return which its source took back since goes on where it stood.
-- Grain: contact × dormant_since. Reads: cohort.dormancy, core.contact_activity, core.contact.
-- Writes: cohort.episode, cohort.dormancy, outcome.contact_outcome. Parameters: as_of, ladder.
-- Twice: a contact with an episode is not looked at again.
WITH reached AS (
    SELECT
        dormancy.contact_id,
        dormancy.dormant_since,
        dormancy.behaviour,
        dormancy.pace,
        contact.merged_into IS NULL AND contact.status <> 'erased' AS is_somebody
    FROM cohort.dormancy AS dormancy
    INNER JOIN core.contact_activity AS activity ON dormancy.contact_id = activity.contact_id
    INNER JOIN core.contact AS contact ON dormancy.contact_id = contact.contact_id
    WHERE dormancy.reaches_on <= :as_of AND activity.visible_on <= :as_of
),

opened AS (
    INSERT INTO cohort.episode AS episode (
        contact_id, dormant_since, behaviour, pace, opened_on, next_due_on
    )
    SELECT
        reached.contact_id,
        reached.dormant_since,
        reached.behaviour,
        reached.pace,
        :as_of,
        :as_of
    FROM reached
    WHERE reached.is_somebody
    ON CONFLICT (contact_id, dormant_since) DO UPDATE
        SET
            returned_on = NULL,
            closed_on = NULL,
            last_position = episode.done_position,
            next_due_on = (
                SELECT
                    greatest(
                        CAST(:as_of AS date),
                        episode.dormant_since
                        + greatest(1, CAST(round(rung.days * episode.pace) AS integer))
                    )
                FROM
                    jsonb_to_recordset(CAST(:ladder AS jsonb)) AS rung (
                        behaviour text, position integer, days double precision
                    )
                WHERE
                    rung.behaviour = episode.behaviour
                    AND rung.position = episode.done_position + 1
            )
        WHERE
        episode.closed_on IS NOT NULL
        AND episode.returned_on IS NOT NULL
        AND episode.behaviour = excluded.behaviour
    RETURNING episode.contact_id, episode.dormant_since
),

forgotten AS (
    DELETE FROM outcome.contact_outcome AS contact_outcome
    USING opened
    WHERE
        contact_outcome.contact_id = opened.contact_id
        AND contact_outcome.dormant_since = opened.dormant_since
)

UPDATE cohort.dormancy AS dormancy
SET reaches_on = NULL
FROM reached
WHERE dormancy.contact_id = reached.contact_id;
