-- Append the withdrawals that the load's refusals (rows that are excluded, or say no) are under an id
-- that several cards share: nobody has agreed by it, and it holds every card that names it. As of
-- its own date, else as of the load.
-- Grain: a withdrawal for each contact of such an id, source, channel and purpose. Reads:
-- raw.consent, core.contact_identity, core.restraint. Writes: core.consent. Parameters: load_id; at:
-- when. Twice: what this load has withdrawn is not withdrawn again.
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT DISTINCT ON (refused.contact_id, refused.source, refused.channel, refused.purpose)
    refused.contact_id,
    refused.source,
    refused.record_key,
    refused.channel,
    refused.purpose,
    refused.at,
    refused.at,
    :load_id
FROM (
    SELECT
        identity.contact_id,
        row.source,
        row.record_key,
        row.channel,
        row.purpose,
        least(
            coalesce(greatest(row.granted_at, row.withdrawn_at), CAST(:at AS timestamptz)),
            CAST(:at AS timestamptz)
        ) AS at
    FROM raw.consent AS row
    INNER JOIN core.contact_identity AS identity
        ON
            row.contact_source = identity.source
            AND row.source_contact_id = identity.source_contact_id
    INNER JOIN (SELECT DISTINCT restraint.by_contact_id FROM core.restraint AS restraint) AS shared
        ON identity.contact_id = shared.by_contact_id
    WHERE row.load_id = :load_id AND row.status = 'excluded'
) AS refused
WHERE
    NOT EXISTS (
        SELECT 1
        FROM core.consent AS known
        WHERE
            known.contact_id = refused.contact_id
            AND known.load_id = :load_id
            AND known.source = refused.source
            AND known.record_key = refused.record_key
    )
ORDER BY
    refused.contact_id ASC,
    refused.source ASC,
    refused.channel ASC,
    refused.purpose ASC,
    refused.at DESC;
