-- For episode/place: the open episodes that were decided on a day, with all decisions they have. What
-- is used up passes its rung, and so does the decision of the day, unless it waits: then its step is
-- looked at again tomorrow.
-- Grain: episode; decision. Reads: cohort.decision, cohort.episode. Writes: the temporary tables
-- climbing and counted. Parameters: as_of, contact_ids (NULL: all of the day). Twice: the same rows.
DROP TABLE IF EXISTS climbing;

CREATE TEMPORARY TABLE climbing ON COMMIT DROP AS
SELECT
    episode.contact_id,
    episode.dormant_since,
    episode.behaviour,
    episode.pace,
    CASE WHEN NOT decision.is_final THEN decision.step END AS waiting_step,
    CASE WHEN NOT decision.is_final THEN decision.as_of + 1 END AS again_on,
    CAST(NULL AS date) AS not_before
FROM cohort.decision AS decision
INNER JOIN cohort.episode AS episode
    ON
        decision.contact_id = episode.contact_id
        AND decision.dormant_since = episode.dormant_since
WHERE
    decision.as_of = :as_of
    AND episode.closed_on IS NULL
    AND (
        CAST(:contact_ids AS bigint[]) IS NULL
        OR decision.contact_id = ANY(CAST(:contact_ids AS bigint[]))
    );

ANALYZE climbing;

DROP TABLE IF EXISTS counted;

CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.as_of,
    decision.step,
    decision.inactive_days,
    decision.action,
    decision.reason,
    decision.is_final,
    cohort.is_used_up(decision.action, decision.reason) AS is_done,
    decision.is_final
    AND (
        cohort.is_used_up(decision.action, decision.reason)
        OR decision.as_of = CAST(:as_of AS date)
    ) AS is_passed
FROM climbing
INNER JOIN cohort.decision AS decision
    ON
        climbing.contact_id = decision.contact_id
        AND climbing.dormant_since = decision.dormant_since
WHERE decision.as_of <= CAST(:as_of AS date);

ANALYZE counted;
