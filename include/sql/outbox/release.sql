-- Let a step's drafts of a day go: the gates are passed.
-- Grain: message. Writes: outbox.message. Parameters: as_of, step, at. Twice: none is a draft then.
UPDATE outbox.message AS message
SET status = 'queued', status_at = :at
WHERE message.as_of = :as_of AND message.step = :step AND message.status = 'draft';
