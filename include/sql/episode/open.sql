-- Open an episode for every contact that has reached the first step and has none for this dormancy
-- yet. A contact that was missed for days is opened late, never left out. An episode that was closed
-- by a return which its source took back since is open again (place_reopened says where it stands), and
-- what had become of it is forgotten. Returns how many contacts were looked at, and how many episodes
-- are open again.
-- Grain: contact × dormant_since. Reads: cohort.dormancy, core.contact_activity, core.contact,
-- cohort.episode. Writes: cohort.episode, cohort.dormancy, outcome.contact_outcome, the temporary
-- table reached. Parameters: as_of. Twice: a contact with an open episode is not looked at again.
DROP TABLE IF EXISTS reached;

CREATE TEMPORARY TABLE reached ON COMMIT DROP AS
SELECT
    dormancy.contact_id,
    dormancy.dormant_since,
    dormancy.behaviour,
    dormancy.pace,
    contact.merged_into IS NULL AND contact.status <> 'erased' AS is_somebody,
    former.contact_id IS NOT NULL AS has_episode,
    coalesce(
        former.returned_on IS NOT NULL AND former.behaviour = dormancy.behaviour, FALSE
    ) AS is_taken_back
FROM cohort.dormancy AS dormancy
INNER JOIN core.contact_activity AS activity ON dormancy.contact_id = activity.contact_id
INNER JOIN core.contact AS contact ON dormancy.contact_id = contact.contact_id
LEFT JOIN cohort.episode AS former
    ON
        dormancy.contact_id = former.contact_id
        AND dormancy.dormant_since = former.dormant_since
-- One ladder at a time: a policy that moves the date under an open one waits for its end.
LEFT JOIN cohort.episode AS standing
    ON dormancy.contact_id = standing.contact_id AND standing.closed_on IS NULL
WHERE
    dormancy.reaches_on <= :as_of
    AND activity.visible_on <= :as_of
    AND standing.contact_id IS NULL;

ANALYZE reached;

INSERT INTO cohort.episode (
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
WHERE reached.is_somebody AND NOT reached.has_episode;

UPDATE cohort.episode AS episode
SET returned_on = NULL, closed_on = NULL, pace = reached.pace
FROM reached
WHERE
    reached.is_somebody
    AND reached.is_taken_back
    AND episode.contact_id = reached.contact_id
    AND episode.dormant_since = reached.dormant_since;

DELETE FROM outcome.contact_outcome AS contact_outcome
USING reached
WHERE
    reached.is_somebody
    AND reached.is_taken_back
    AND contact_outcome.contact_id = reached.contact_id
    AND contact_outcome.dormant_since = reached.dormant_since;

UPDATE cohort.dormancy AS dormancy
SET reaches_on = NULL
FROM reached
WHERE dormancy.contact_id = reached.contact_id;

SELECT
    count(*) AS opened,
    count(*) FILTER (WHERE reached.is_somebody AND reached.is_taken_back) AS reopened
FROM reached;
