-- Hold back decisions whose text could not be made; they are tried again tomorrow.
-- Grain: decision. Writes: cohort.decision. Parameters: as_of, contact_ids. Twice: the same values.
UPDATE cohort.decision AS decision
SET action = 'hold', reason = 'template', is_final = FALSE
WHERE
    decision.as_of = :as_of
    AND decision.contact_id = ANY(CAST(:contact_ids AS bigint[]));
