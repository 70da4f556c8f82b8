-- Append the withdrawals that refusals are. One withdraws what its own source has granted: as of its
-- date where that is after the last grant, else as of the load that brought it. An earlier load's is
-- heard when a grant from before it comes late, or when its id turns out to be theirs.
-- Grain: a withdrawal for each contact, source, channel and purpose. Reads: the temporary table
-- refusal. Writes: core.consent. Parameters: load_id; at: when. Twice: nobody withdraws twice.
-- Each record as it was said last: a source that says one of the same time anew corrects it.
WITH record AS (
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
