-- Append the withdrawals that refusals are under an id that several cards share: nobody has agreed by
-- it, and it holds every card that names it. As of its own date, else as of the load.
-- Grain: a withdrawal for each contact of such an id, source, channel and purpose. Reads: the
-- temporary table refusal, core.restraint, core.withdrawal. Writes: core.consent. Parameters:
-- load_id. Twice: what is withdrawn as of then, or later, is not withdrawn again.
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
        refusal.*,
        least(coalesce(refusal.said_at, refusal.heard_at), refusal.heard_at) AS at
    FROM refusal
    WHERE
        EXISTS (
            SELECT 1
            FROM core.restraint AS restraint
            WHERE restraint.by_contact_id = refusal.contact_id
        )
) AS refused
WHERE
    NOT EXISTS (
        SELECT 1
        FROM core.withdrawal AS known
        WHERE
            known.contact_id = refused.contact_id
            AND known.channel = refused.channel
            AND known.purpose = refused.purpose
            AND known.withdrawn_at >= refused.at
    )
ORDER BY
    refused.contact_id ASC,
    refused.source ASC,
    refused.channel ASC,
    refused.purpose ASC,
    refused.at DESC;
