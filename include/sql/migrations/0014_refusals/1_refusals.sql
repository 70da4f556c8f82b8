-- Refusals: rows of consents that are excluded, or say no, withdraw what their source has granted.
CREATE INDEX consent_refused ON raw.consent (source, contact_source, source_contact_id)
WHERE status IN ('loaded', 'excluded')
AND (status = 'excluded' OR coalesce(granted_at, withdrawn_at) IS NULL);

-- Those of past loads were not heard where their date is another than the grant's. What their files
-- say else is heard when they are read again, by the next load.
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT DISTINCT ON (refusal.contact_id, refusal.source, refusal.channel, refusal.purpose)
    refusal.contact_id,
    refusal.source,
    refusal.record_key,
    refusal.channel,
    refusal.purpose,
    refusal.at,
    refusal.at,
    refusal.load_id
FROM (
    SELECT
        identity.contact_id,
        row.source,
        row.record_key,
        row.channel,
        row.purpose,
        least(greatest(row.granted_at, row.withdrawn_at), load.started_at) AS at,
        load.load_id
    FROM raw.consent AS row
    INNER JOIN raw.load AS load ON row.load_id = load.load_id
    INNER JOIN core.contact_identity AS identity
        ON
            row.contact_source = identity.source
            AND row.source_contact_id = identity.source_contact_id
    WHERE row.status = 'excluded' AND load.status = 'loaded'
) AS refusal
INNER JOIN (
    SELECT
        consent.contact_id,
        consent.source,
        consent.channel,
        consent.purpose,
        max(consent.granted_at) AS at
    FROM core.consent AS consent
    WHERE consent.granted_at IS NOT NULL
    GROUP BY consent.contact_id, consent.source, consent.channel, consent.purpose
) AS granted
    ON
        refusal.contact_id = granted.contact_id
        AND refusal.source = granted.source
        AND refusal.channel = granted.channel
        AND refusal.purpose = granted.purpose
        AND refusal.at > granted.at
LEFT JOIN (
    SELECT
        consent.contact_id,
        consent.channel,
        consent.purpose,
        max(consent.withdrawn_at) AS at
    FROM core.consent AS consent
    WHERE consent.withdrawn_at IS NOT NULL
    GROUP BY consent.contact_id, consent.channel, consent.purpose
) AS withdrawn
    ON
        refusal.contact_id = withdrawn.contact_id
        AND refusal.channel = withdrawn.channel
        AND refusal.purpose = withdrawn.purpose
WHERE coalesce(withdrawn.at < granted.at, TRUE)
ORDER BY
    refusal.contact_id ASC,
    refusal.source ASC,
    refusal.channel ASC,
    refusal.purpose ASC,
    refusal.at ASC;
