-- Gather the refusals (rows of consents that are excluded, or say no) that a load brings, and those of
-- before, under any id of theirs, of whom it grants something.
-- Grain: refusal. Reads: raw.consent, raw.load, core.contact_identity. Writes: the temporary table
-- refusal. Parameters: load_id; at: when. Gone with the transaction.
DROP TABLE IF EXISTS refusal;

CREATE TEMPORARY TABLE refusal ON COMMIT DROP AS
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    row.channel,
    row.purpose,
    greatest(row.granted_at, row.withdrawn_at) AS said_at,
    CAST(:at AS timestamptz) AS heard_at,
    TRUE AS is_new
FROM raw.consent AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE row.load_id = :load_id AND row.status = 'excluded'
UNION ALL
SELECT
    granted.contact_id,
    row.source,
    row.record_key,
    row.channel,
    row.purpose,
    greatest(row.granted_at, row.withdrawn_at),
    load.started_at,
    FALSE
FROM (
    SELECT DISTINCT
        identity.contact_id,
        fresh.source
    FROM raw.consent AS fresh
    INNER JOIN core.contact_identity AS identity
        ON
            fresh.contact_source = identity.source
            AND fresh.source_contact_id = identity.source_contact_id
    WHERE fresh.load_id = :load_id AND fresh.status = 'loaded' AND fresh.granted_at IS NOT NULL
) AS granted
INNER JOIN core.contact_identity AS theirs ON granted.contact_id = theirs.contact_id
INNER JOIN raw.consent AS row
    ON
        theirs.source = row.contact_source
        AND theirs.source_contact_id = row.source_contact_id
        AND granted.source = row.source
INNER JOIN raw.load AS load ON row.load_id = load.load_id
WHERE row.status = 'excluded' AND row.load_id <> :load_id;

ANALYZE refusal;
