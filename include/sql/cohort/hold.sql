-- Hold back decisions of a day for which no text was made; they are tried again tomorrow.
-- Grain: decision. Writes: cohort.decision. Parameters: as_of, reason, contact_ids.
-- Twice: the same values.
UPDATE cohort.decision AS decision
SET
    action = 'hold',
    reason = CAST(:reason AS cohort.reason),
    is_final = NOT cohort.passes_by_waiting(CAST(:reason AS cohort.reason))
WHERE
    decision.as_of = :as_of
    AND decision.contact_id = ANY(CAST(:contact_ids AS bigint[]));
