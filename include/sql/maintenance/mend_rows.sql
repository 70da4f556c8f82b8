-- Before contacts are made anew: a contact without activity, or whose dormancy was lost, gets a row,
-- rows of nobody go, of an event that stands twice the one that came later stays, and who lost the
-- date of the first step can have it worked out again.
-- Grain: contact. Reads: core.contact, cohort.episode, outcome.contact_outcome, the temporary table
-- corrected. Writes: core.interaction, core.contact_activity, cohort.dormancy. Parameters: load_id,
-- reaching_ids. Twice: the same rows.
DELETE FROM core.interaction AS former
USING corrected, core.interaction AS newer
WHERE
    former.contact_id = corrected.contact_id
    AND newer.contact_id = corrected.contact_id
    AND newer.source = former.source
    AND newer.source_event_id = former.source_event_id
    AND (newer.load_id, newer.occurred_on) > (former.load_id, former.occurred_on);

-- Who was followed before has a row, for follow_loads to fill; when an episode last closed as active
-- it takes as it is.
INSERT INTO cohort.dormancy (
    contact_id, behaviour, dormant_since, pace, reaches_on, active_closed_on
)
SELECT
    contact.contact_id,
    '',
    contact.first_seen_on,
    1,
    contact.first_seen_on,
    (
        SELECT max(episode.closed_on)
        FROM cohort.episode AS episode
        INNER JOIN outcome.contact_outcome AS contact_outcome
            ON
                episode.contact_id = contact_outcome.contact_id
                AND episode.dormant_since = contact_outcome.dormant_since
        WHERE
            episode.contact_id = contact.contact_id
            AND contact_outcome.outcome = 'active'
    )
FROM corrected
INNER JOIN core.contact AS contact ON corrected.contact_id = contact.contact_id
LEFT JOIN core.contact_activity AS activity ON corrected.contact_id = activity.contact_id
WHERE activity.contact_id IS NULL OR activity.updated_load_id < :load_id
ON CONFLICT (contact_id) DO NOTHING;

INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)
SELECT
    contact.contact_id,
    contact.first_seen_on,
    :load_id
FROM corrected
INNER JOIN core.contact AS contact ON corrected.contact_id = contact.contact_id
ON CONFLICT (contact_id) DO NOTHING;

DELETE FROM core.contact_activity AS activity
USING corrected
WHERE
    activity.contact_id = corrected.contact_id
    AND NOT EXISTS (
        SELECT 1
        FROM core.contact AS contact
        WHERE contact.contact_id = activity.contact_id
    );

DELETE FROM cohort.dormancy AS dormancy
USING corrected
WHERE
    dormancy.contact_id = corrected.contact_id
    AND NOT EXISTS (
        SELECT 1
        FROM core.contact AS contact
        WHERE contact.contact_id = dormancy.contact_id
    );

-- follow_loads leaves an empty date alone: the episode was opened.
UPDATE cohort.dormancy AS dormancy
SET reaches_on = dormancy.dormant_since
WHERE dormancy.contact_id = ANY(CAST(:reaching_ids AS bigint[]));
