-- Gather the refusals (rows of consents that are excluded, or say no) of the kin: whose they are may be
-- known only now, by a card that names their id.
-- Grain: refusal. Reads: kin, core.contact_identity, raw.consent, raw.load. Writes: the temporary table
-- refusal. No parameters. Gone with the transaction.
DROP TABLE IF EXISTS refusal;

CREATE TEMPORARY TABLE refusal ON COMMIT DROP AS
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    row.channel,
    row.purpose,
    greatest(row.granted_at, row.withdrawn_at) AS said_at,
    load.started_at AS heard_at,
    FALSE AS is_new
FROM raw.consent AS row
INNER JOIN raw.load AS load ON row.load_id = load.load_id
INNER JOIN kin ON row.contact_source = kin.source AND row.source_contact_id = kin.source_contact_id
INNER JOIN core.contact_identity AS identity
    ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
-- What is not in core yet is heard when its own load is taken.
WHERE row.status = 'excluded' AND load.status = 'loaded';

ANALYZE refusal;
