-- Append the load's consents, rows that only withdraw among them; rows that are excluded are heard by
-- core/refuse.
-- Grain: consent row. Reads: raw.consent, core.contact_identity. Writes: core.consent. Parameters:
-- load_id; at: when. Twice: a row of this load that is there is not added again.
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, basis, granted_at, withdrawn_at,
    effective_at, wording, language, load_id
)
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    row.channel,
    row.purpose,
    row.basis,
    row.granted_at,
    -- Withdrawn, and nothing says when.
    coalesce(row.withdrawn_at, CASE WHEN row.granted_at IS NULL THEN CAST(:at AS timestamptz) END),
    coalesce(row.granted_at, row.withdrawn_at, CAST(:at AS timestamptz)),
    row.wording,
    row.language,
    :load_id
FROM raw.consent AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE
    row.load_id = :load_id
    AND row.status = 'loaded'
    AND NOT EXISTS (
        SELECT 1
        FROM core.consent AS known
        WHERE
            known.contact_id = identity.contact_id
            AND known.load_id = :load_id
            AND known.source = row.source
            AND known.record_key = row.record_key
    )
ORDER BY row.file_id, row.line;

-- The source's mapping was corrected: a grant that it gave under the old one is given no more. Whoever
-- had withdrawn has, as late as before.
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, basis, granted_at, withdrawn_at,
    effective_at, wording, language, load_id
)
SELECT DISTINCT ON (known.contact_id, known.source, known.record_key)
    known.contact_id,
    known.source,
    known.record_key,
    known.channel,
    known.purpose,
    known.basis,
    NULL AS granted_at,
    greatest(known.effective_at, known.withdrawn_at) AS withdrawn_at,
    known.effective_at,
    known.wording,
    known.language,
    :load_id
FROM raw.consent AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
INNER JOIN core.consent AS known
    ON
        identity.contact_id = known.contact_id
        AND row.source = known.source
        AND row.record_key = known.record_key
WHERE
    row.superseded_by = :load_id
    -- What is deleted there is withdrawn from now on: core/withdraw_deleted.
    AND NOT row.is_deleted
    AND known.load_id <> :load_id
    AND known.granted_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM raw.consent AS present
        WHERE
            present.source = row.source
            AND present.record_key = row.record_key
            AND present.status <> 'superseded'
    )
ORDER BY known.contact_id ASC, known.source ASC, known.record_key ASC, known.consent_id DESC;
