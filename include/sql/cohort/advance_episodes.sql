-- Move the episodes on after their decisions: when they are looked at next, and in which arm.
-- After a send, a skip and the holds that waiting will not lift the next threshold is due, or none;
-- after the others, tomorrow.
-- Grain: episode decided on as_of. Reads: cohort.decision. Writes: cohort.episode.
-- Parameters: as_of, step_names, step_days. Twice: the same values.
WITH ladder AS (
    SELECT
        rung.step,
        rung.days,
        lead(rung.step) OVER (ORDER BY rung.days) AS next_step,
        lead(rung.days) OVER (ORDER BY rung.days) AS next_days
    FROM
        unnest(CAST(:step_names AS text[]), CAST(:step_days AS integer[])) AS rung (step, days)
),

decided AS (
    SELECT
        decision.contact_id,
        decision.dormant_since,
        decision.step,
        decision.action,
        decision.reason,
        ladder.days,
        ladder.next_step,
        ladder.next_days,
        decision.reason IN ('gap', 'daily_cap', 'warm_up', 'budget', 'approval', 'template')
            AS is_waiting,
        decision.action = 'send' OR decision.reason = 'control' AS is_eligible
    FROM cohort.decision AS decision
    INNER JOIN ladder ON decision.step = ladder.step
    WHERE decision.as_of = :as_of
)

UPDATE cohort.episode AS episode
SET
    arm = CASE
        WHEN decided.is_eligible AND decided.action = 'send'
            THEN coalesce(episode.arm, 'treatment')
        WHEN decided.is_eligible THEN coalesce(episode.arm, 'control')
        ELSE episode.arm
    END,
    first_step
    = coalesce(episode.first_step, CASE WHEN decided.is_eligible THEN decided.step END),
    first_eligible_on = coalesce(
        episode.first_eligible_on, CASE WHEN decided.is_eligible THEN CAST(:as_of AS date) END
    ),
    done_days = CASE
        WHEN decided.action IN ('send', 'skip') OR decided.reason = 'control' THEN decided.days
        ELSE episode.done_days
    END,
    last_action = decided.action,
    last_sent_on
    = CASE WHEN decided.action = 'send' THEN CAST(:as_of AS date) ELSE episode.last_sent_on END,
    last_final_on = CASE
        WHEN decided.is_waiting OR decided.reason = 'opened' THEN episode.last_final_on
        ELSE CAST(:as_of AS date)
    END,
    next_step = CASE WHEN decided.is_waiting THEN decided.step ELSE decided.next_step END,
    next_due_on = CASE
        WHEN decided.is_waiting THEN CAST(:as_of AS date) + 1
        ELSE episode.dormant_since + decided.next_days
    END
FROM decided
WHERE
    episode.contact_id = decided.contact_id
    AND episode.dormant_since = decided.dormant_since;
