-- Whether the warehouse answers, and is at a schema that the service can write to.
-- Grain: one row. Reads outbox.verdict. Writes nothing. No parameters.
SELECT count(*) AS verdicts
FROM outbox.verdict
WHERE contact_id IS NULL;
