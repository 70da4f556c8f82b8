-- What was decided on a day, to be compared.
-- Grain: contact. Reads: cohort.decision. Parameters: as_of. Writes nothing.
SELECT
    decision.contact_id,
    decision.step,
    CAST(decision.action AS text) AS action,
    CAST(decision.reason AS text) AS reason
FROM cohort.decision AS decision
WHERE decision.as_of = :as_of;
