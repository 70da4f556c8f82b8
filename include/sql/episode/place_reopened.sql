-- For episode/place: the episodes that are open again because a return was taken back. They go on from
-- what is used up, by the ladder of this day; what was held for good is asked again.
-- Grain: episode; decision. Reads: the temporary table reached (of episode/open), cohort.decision.
-- Writes: the temporary tables climbing and counted. Parameters: as_of. Twice: the same rows.
DROP TABLE IF EXISTS climbing;

CREATE TEMPORARY TABLE climbing ON COMMIT DROP AS
SELECT
    reached.contact_id,
    reached.dormant_since,
    reached.behaviour,
    reached.pace,
    CAST(NULL AS text) AS waiting_step,
    CAST(NULL AS date) AS again_on,
    CAST(:as_of AS date) AS not_before
FROM reached
WHERE reached.is_somebody AND reached.is_taken_back;

ANALYZE climbing;

DROP TABLE IF EXISTS counted;

CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.as_of,
    decision.step,
    decision.inactive_days,
    TRUE AS is_done,
    TRUE AS is_passed
FROM climbing
INNER JOIN cohort.decision AS decision
    ON
        climbing.contact_id = decision.contact_id
        AND climbing.dormant_since = decision.dormant_since
WHERE cohort.is_used_up(decision.action, decision.reason);

ANALYZE counted;
