-- A row of consents that says nothing takes back what its source has granted, and is nothing else: many
-- people were never asked. Where another row of its file is a yes, that is what the file says.
-- Grain: source row. Reads: core.contact_identity, core.consent, raw.consent, raw.load. Writes: staged.
-- Parameters: source, reasons (why rows that say nothing are rejected). Twice: what is left takes
-- something back.
DELETE FROM staged
USING staged AS doubt
WHERE
    staged.is_excluded
    AND doubt.line = staged.line
    AND doubt.reason = ANY(CAST(:reasons AS text[]))
    AND (
        EXISTS (
            SELECT 1
            FROM staged AS said
            WHERE
                said.reason IS NULL
                AND NOT said.is_excluded
                AND said.contact_source = staged.contact_source
                AND said.source_contact_id = staged.source_contact_id
                AND said.channel = staged.channel
                AND said.purpose = staged.purpose
                AND said.granted_at IS NOT NULL
        )
        OR NOT (
            EXISTS (
                SELECT 1
                FROM core.contact_identity AS identity
                INNER JOIN core.consent AS consent ON identity.contact_id = consent.contact_id
                WHERE
                    identity.source = staged.contact_source
                    AND identity.source_contact_id = staged.source_contact_id
                    AND consent.source = :source
                    AND consent.channel = staged.channel
                    AND consent.purpose = staged.purpose
                    AND consent.granted_at IS NOT NULL
            )
            -- Or will have, once core takes what was read before.
            OR EXISTS (
                SELECT 1
                FROM raw.load AS load
                INNER JOIN raw.consent AS row ON load.load_id = row.load_id
                WHERE
                    load.source = :source
                    AND load.entity = 'consent'
                    AND load.status <> 'loaded'
                    AND row.source = :source
                    AND row.contact_source = staged.contact_source
                    AND row.source_contact_id = staged.source_contact_id
                    AND row.channel = staged.channel
                    AND row.purpose = staged.purpose
                    AND row.status = 'loaded'
                    AND row.granted_at IS NOT NULL
            )
        )
    );
