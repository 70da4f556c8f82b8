-- Append the load's consents, and the withdrawals that its refusals are: rows that are excluded, or
-- say no.
-- Grain: consent row; a withdrawal for each contact, source, channel and purpose. Reads:
-- raw.consent, raw.load, core.contact_identity. Writes: core.consent. Parameters: load_id; at: when.
-- Twice: a row of this load that is there is not added again, and nobody withdraws twice.
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

-- The source's mapping was corrected: a grant that it gave under the old one is given no more.
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
    known.effective_at AS withdrawn_at,
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

-- A refusal withdraws what its own source has granted: as of its date where that is after the last
-- grant, else as of the load that brought it. An earlier load's refusal is heard when a grant from
-- before it comes late.
WITH refusal AS (
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
        identity.contact_id,
        row.source,
        row.record_key,
        row.channel,
        row.purpose,
        greatest(row.granted_at, row.withdrawn_at),
        load.started_at,
        FALSE
    FROM (
        SELECT DISTINCT
            fresh.source,
            fresh.contact_source,
            fresh.source_contact_id
        FROM raw.consent AS fresh
        WHERE fresh.load_id = :load_id AND fresh.status = 'loaded' AND fresh.granted_at IS NOT NULL
    ) AS granted
    INNER JOIN raw.consent AS row
        ON
            granted.source = row.source
            AND granted.contact_source = row.contact_source
            AND granted.source_contact_id = row.source_contact_id
    INNER JOIN raw.load AS load ON row.load_id = load.load_id
    INNER JOIN core.contact_identity AS identity
        ON
            row.contact_source = identity.source
            AND row.source_contact_id = identity.source_contact_id
    WHERE row.status = 'excluded' AND row.load_id <> :load_id
),

-- Each record as it was said last: a source that says one of the same time anew corrects it.
record AS (
    SELECT DISTINCT ON (consent.contact_id, consent.source, consent.record_key, consent.effective_at)
        consent.contact_id,
        consent.source,
        consent.channel,
        consent.purpose,
        consent.granted_at,
        consent.withdrawn_at
    FROM (SELECT DISTINCT refusal.contact_id FROM refusal) AS person
    INNER JOIN core.consent AS consent ON person.contact_id = consent.contact_id
    ORDER BY
        consent.contact_id ASC,
        consent.source ASC,
        consent.record_key ASC,
        consent.effective_at ASC,
        consent.consent_id DESC
),

granted AS (
    SELECT
        record.contact_id,
        record.source,
        record.channel,
        record.purpose,
        max(record.granted_at) AS at
    FROM record
    WHERE record.granted_at IS NOT NULL
    GROUP BY record.contact_id, record.source, record.channel, record.purpose
),

withdrawn AS (
    SELECT
        record.contact_id,
        record.channel,
        record.purpose,
        max(record.withdrawn_at) FILTER (WHERE record.withdrawn_at <= CAST(:at AS timestamptz)) AS at
    FROM record
    GROUP BY record.contact_id, record.channel, record.purpose
)

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT DISTINCT ON (heard.contact_id, heard.source, heard.channel, heard.purpose)
    heard.contact_id,
    heard.source,
    heard.record_key,
    heard.channel,
    heard.purpose,
    heard.at,
    heard.at,
    :load_id
FROM (
    SELECT
        refusal.*,
        greatest(
            granted.at,
            CASE
                WHEN refusal.said_at > granted.at THEN least(refusal.said_at, refusal.heard_at)
                ELSE refusal.heard_at
            END
        ) AS at
    FROM refusal
    INNER JOIN granted
        ON
            refusal.contact_id = granted.contact_id
            AND refusal.source = granted.source
            AND refusal.channel = granted.channel
            AND refusal.purpose = granted.purpose
    LEFT JOIN withdrawn
        ON
            refusal.contact_id = withdrawn.contact_id
            AND refusal.channel = withdrawn.channel
            AND refusal.purpose = withdrawn.purpose
    WHERE
        coalesce(withdrawn.at < granted.at, TRUE)
        AND (refusal.is_new OR coalesce(refusal.said_at, refusal.heard_at) >= granted.at)
) AS heard
ORDER BY
    heard.contact_id ASC,
    heard.source ASC,
    heard.channel ASC,
    heard.purpose ASC,
    heard.at ASC;
