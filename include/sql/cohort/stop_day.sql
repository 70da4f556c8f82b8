-- A gate of the day is closed: its drafts are cancelled, and whoever was to be written to (or was
-- held back as control, so that both arms fare alike) is held, and looked at again on the next day.
-- Grain: decision. Reads: cohort.day. Writes: cohort.decision, cohort.day, outbox.message,
-- outcome.daily_step, outcome.eligible.
-- Parameters: as_of, reason, at. Twice: nothing is a draft any more.
WITH stopped AS (
    UPDATE cohort.day AS day
    SET stopped_by = :reason
    WHERE day.as_of = :as_of AND day.released_at IS NULL AND day.stopped_by IS NULL
    RETURNING day.as_of
),

cancelled AS (
    UPDATE outbox.message AS message
    SET status = 'cancelled', status_at = :at, error_code = :reason
    FROM stopped
    WHERE message.as_of = stopped.as_of AND message.status = 'draft'
),

-- The evening may have counted the day before it was stopped.
uncounted AS (
    DELETE FROM outcome.daily_step AS daily_step
    USING stopped
    WHERE daily_step.as_of = stopped.as_of
),

-- Nobody was drawn on it.
undrawn AS (
    DELETE FROM outcome.eligible AS eligible
    USING stopped
    WHERE eligible.eligible_on = stopped.as_of
)

UPDATE cohort.decision AS decision
SET
    action = 'hold',
    reason = CAST(:reason AS cohort.reason),
    is_final = NOT cohort.passes_by_waiting(CAST(:reason AS cohort.reason))
FROM stopped
WHERE
    decision.as_of = stopped.as_of
    AND (decision.action = 'send' OR decision.reason = 'control');
