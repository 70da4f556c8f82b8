-- Who a source's id is.
-- Grain: one row or none. Reads: core.contact_identity (by its key). Writes nothing.
-- Parameters: source, source_contact_id.
SELECT identity.contact_id
FROM core.contact_identity AS identity
WHERE identity.source = :source AND identity.source_contact_id = CAST(:source_contact_id AS text);
