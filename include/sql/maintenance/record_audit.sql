-- Keep what an audit found.
-- Grain: audit; difference. Writes: maintenance.audit, maintenance.difference. Parameters: began_at,
-- at, share, contacts, waiting, differing, is_repaired, differences ([{relation, column_name,
-- contacts, contact_ids}]). Returns its audit_id. Twice: another audit.
WITH audit AS (
    INSERT INTO maintenance.audit (
        began_at, finished_at, share, contacts, waiting, differing, is_repaired
    )
    VALUES (:began_at, :at, :share, :contacts, :waiting, :differing, :is_repaired)
    RETURNING audit_id
),

difference AS (
    INSERT INTO maintenance.difference (
        audit_id, relation, column_name, contacts, contact_ids
    )
    SELECT
        audit.audit_id,
        found.relation,
        found.column_name,
        found.contacts,
        found.contact_ids
    FROM audit
    CROSS JOIN
        jsonb_to_recordset(CAST(:differences AS jsonb)) AS found (
            relation text, column_name text, contacts bigint, contact_ids bigint[]
        )
)

SELECT audit.audit_id FROM audit;
