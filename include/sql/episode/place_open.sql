-- For episode/place, when the ladder has changed: all open episodes, with the decisions that pass a
-- rung. What was held for good is not asked again for the ladder's sake, unless what stood in the way
-- may be gone since, or it now comes after a step that waits. A clock that is gone hands over to the
-- first that is left.
-- Grain: open episode; decision. Reads: cohort.episode, cohort.dormancy, cohort.decision, cohort.day,
-- core.contact, the temporary table released (of all that ever changed). Writes: the temporary tables
-- climbing and counted. Parameters: as_of, ladder. Twice: the same rows.
DROP TABLE IF EXISTS climbing;

CREATE TEMPORARY TABLE climbing ON COMMIT DROP AS
WITH clock AS (
    SELECT
        known.behaviour,
        row_number() OVER (ORDER BY min(known.place)) AS place
    FROM (
        SELECT
            rung.behaviour,
            row_number() OVER () AS place
        FROM jsonb_to_recordset(CAST(:ladder AS jsonb)) AS rung (behaviour text)
    ) AS known
    GROUP BY known.behaviour
)

SELECT
    episode.contact_id,
    episode.dormant_since,
    coalesce(own.behaviour, first.behaviour) AS behaviour,
    coalesce(dormancy.pace, episode.pace) AS pace,
    CASE WHEN episode.is_waiting THEN episode.last_step END AS waiting_step,
    CAST(NULL AS date) AS again_on,
    CAST(:as_of AS date) AS not_before
FROM cohort.episode AS episode
-- The episode of a contact that turned out to be another is evaluated no more.
INNER JOIN core.contact AS contact
    ON episode.contact_id = contact.contact_id AND contact.merged_into IS NULL
LEFT JOIN cohort.dormancy AS dormancy
    ON
        episode.contact_id = dormancy.contact_id
        AND episode.dormant_since = dormancy.dormant_since
LEFT JOIN clock AS own ON episode.behaviour = own.behaviour
LEFT JOIN clock AS first ON first.place = 1
WHERE episode.closed_on IS NULL;

ANALYZE climbing;

DROP TABLE IF EXISTS counted;

CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.as_of,
    decision.step,
    decision.inactive_days,
    cohort.is_used_up(decision.action, decision.reason) AS is_done,
    TRUE AS is_passed
FROM climbing
INNER JOIN cohort.decision AS decision
    ON
        climbing.contact_id = decision.contact_id
        AND climbing.dormant_since = decision.dormant_since
LEFT JOIN cohort.day AS day ON decision.as_of = day.as_of
LEFT JOIN released ON climbing.contact_id = released.contact_id
WHERE
    decision.is_final
    AND (
        cohort.is_used_up(decision.action, decision.reason)
        OR (
            (released.load_id > day.last_load_id) IS NOT TRUE
            AND (released.at > day.decided_at) IS NOT TRUE
        )
    );

ANALYZE counted;
