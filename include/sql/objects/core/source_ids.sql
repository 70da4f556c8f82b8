-- A contact's ids in the sources, as one object: {"crm": "C-17", "shop": "204; 377"}; of one who
-- was found to be somebody else, that person's. Ask for one contact, or join it LATERAL: every
-- branch has an index that leads with it then.
-- Grain: contact. Reads: core.contact, core.contact_identity.
CREATE OR REPLACE VIEW core.source_ids AS
SELECT
    by_source.contact_id,
    jsonb_object_agg(by_source.source, by_source.source_contact_ids) AS ids
FROM (
    SELECT
        named.contact_id,
        named.source,
        string_agg(named.source_contact_id, '; ' ORDER BY named.source_contact_id)
            AS source_contact_ids
    FROM (
        SELECT
            identity.contact_id,
            identity.source,
            identity.source_contact_id
        FROM core.contact_identity AS identity
        UNION ALL
        SELECT
            contact.contact_id,
            identity.source,
            identity.source_contact_id
        FROM core.contact AS contact
        INNER JOIN core.contact_identity AS identity ON contact.merged_into = identity.contact_id
    ) AS named
    GROUP BY named.contact_id, named.source
) AS by_source
GROUP BY by_source.contact_id;
