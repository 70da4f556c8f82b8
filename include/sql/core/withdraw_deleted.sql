-- Append the withdrawals that deleted rows are: their source says no more that somebody agreed. As of
-- the load, so that only a later grant grants again; not where another row of the same source still
-- says yes.
-- Grain: a withdrawal for each contact, source, channel and purpose. Reads: raw.consent,
-- core.contact_identity. Writes: core.consent, the temporary tables deleted_grant, standing_grant.
-- Parameters: load_id; at: when. Twice: a load is taken once, and another withdrawal of the same time
-- says the same.
DROP TABLE IF EXISTS deleted_grant;

CREATE TEMPORARY TABLE deleted_grant ON COMMIT DROP AS
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    row.channel,
    row.purpose,
    row.granted_at
FROM raw.consent AS row
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE
    row.superseded_by = :load_id
    AND row.is_deleted
    AND row.stood_as = 'loaded'
    AND row.granted_at IS NOT NULL
    AND coalesce(row.withdrawn_at < row.granted_at, TRUE);

ANALYZE deleted_grant;

DROP TABLE IF EXISTS standing_grant;

CREATE TEMPORARY TABLE standing_grant ON COMMIT DROP AS
SELECT DISTINCT
    said.contact_id,
    said.source,
    said.channel,
    said.purpose
FROM deleted_grant AS gone
INNER JOIN core.consent AS said
    ON
        gone.contact_id = said.contact_id
        AND gone.source = said.source
        AND gone.channel = said.channel
        AND gone.purpose = said.purpose
INNER JOIN raw.consent AS present
    ON said.source = present.source AND said.record_key = present.record_key
-- A yes from before a no is none without the one that came after.
LEFT JOIN core.consent AS taken_back
    ON
        said.contact_id = taken_back.contact_id
        AND said.channel = taken_back.channel
        AND said.purpose = taken_back.purpose
        AND present.granted_at <= taken_back.withdrawn_at
WHERE
    present.status = 'loaded'
    AND present.granted_at IS NOT NULL
    AND coalesce(present.withdrawn_at < present.granted_at, TRUE)
    AND taken_back.contact_id IS NULL
UNION
-- A yes of today waits for its day, and is from before the load: it would come too late.
SELECT
    gone.contact_id,
    waiting.source,
    waiting.channel,
    waiting.purpose
FROM raw.consent AS waiting
INNER JOIN core.contact_identity AS identity
    ON
        waiting.contact_source = identity.source
        AND waiting.source_contact_id = identity.source_contact_id
INNER JOIN deleted_grant AS gone
    ON
        identity.contact_id = gone.contact_id
        AND waiting.source = gone.source
        AND waiting.channel = gone.channel
        AND waiting.purpose = gone.purpose
WHERE
    waiting.status = 'waiting'
    AND waiting.granted_at <= CAST(:at AS timestamptz)
    AND coalesce(waiting.withdrawn_at < waiting.granted_at, TRUE);

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT DISTINCT ON (gone.contact_id, gone.source, gone.channel, gone.purpose)
    gone.contact_id,
    gone.source,
    gone.record_key,
    gone.channel,
    gone.purpose,
    CAST(:at AS timestamptz),
    CAST(:at AS timestamptz),
    :load_id
FROM deleted_grant AS gone
LEFT JOIN standing_grant AS standing
    ON
        gone.contact_id = standing.contact_id
        AND gone.source = standing.source
        AND gone.channel = standing.channel
        AND gone.purpose = standing.purpose
WHERE standing.contact_id IS NULL
ORDER BY
    gone.contact_id ASC,
    gone.source ASC,
    gone.channel ASC,
    gone.purpose ASC,
    gone.granted_at DESC;
