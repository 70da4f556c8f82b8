-- Before contacts are drawn anew from their decisions: what is kept of them goes.
-- Grain: contact. Writes: outcome.eligible. Parameters: contact_ids. Returns the last evening.
-- Twice: nothing is left.
WITH forgotten AS (
    DELETE FROM outcome.eligible AS eligible
    WHERE eligible.contact_id = ANY(CAST(:contact_ids AS bigint[]))
)

SELECT max(experiment.counted_on) AS through
FROM outcome.experiment AS experiment
WHERE experiment.salt IS NOT NULL;
