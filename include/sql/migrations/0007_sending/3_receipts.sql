-- Why a receipt says that the number is not to be texted again: it is bad for good, or it opted out
-- with the provider. It was a boolean, which took an opt-out for a bad number.
ALTER TABLE outbox.receipt
ADD COLUMN suppress core.suppression_reason CHECK (suppress IN ('hard_bounce', 'opted_out'));

UPDATE outbox.receipt SET suppress = 'hard_bounce' WHERE is_permanent;

ALTER TABLE outbox.receipt DROP COLUMN is_permanent;
