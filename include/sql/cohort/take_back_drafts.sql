-- A day was let go, but the task that queues a step's drafts never ran: they are cancelled, and their
-- contacts held, to be looked at again.
-- Grain: decision. Writes: outbox.message, cohort.decision. Parameters: as_of, at.
-- Twice: nothing is a draft any more.
WITH cancelled AS (
    UPDATE outbox.message AS message
    SET status = 'cancelled', status_at = :at, error_code = 'approval'
    WHERE message.as_of = :as_of AND message.status = 'draft'
    RETURNING message.contact_id
)

UPDATE cohort.decision AS decision
SET action = 'hold', reason = 'approval', is_final = NOT cohort.passes_by_waiting('approval')
FROM cancelled
WHERE decision.as_of = :as_of AND decision.contact_id = cancelled.contact_id;
