-- Let a step's drafts of a day go, if its gates are passed.
-- Grain: message. Reads: cohort.day. Writes: outbox.message. Parameters: as_of, step, at. Twice: none is a draft then.
UPDATE outbox.message AS message
SET status = 'queued', status_at = :at
FROM cohort.day AS day
WHERE
    message.as_of = :as_of
    AND message.step = :step
    AND message.status = 'draft'
    AND day.as_of = message.as_of
    AND day.released_at IS NOT NULL;
