-- The contacts that a day decided to write to, with what their texts need. The most recently active
-- come first, as under a cap: where a pool of codes runs out, they get the last ones.
-- Grain: decision to send. Reads: cohort.decision, core.contact. Parameters: as_of. Writes nothing.
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.step,
    coalesce(decision.variant, '') AS variant,
    contact.phone_e164,
    contact.phone_hash,
    contact.first_name,
    contact.last_name,
    contact.language,
    contact.country,
    contact.time_zone
FROM cohort.decision AS decision
INNER JOIN core.contact AS contact ON decision.contact_id = contact.contact_id
WHERE decision.as_of = :as_of AND decision.action = 'send'
ORDER BY decision.dormant_since DESC, decision.contact_id ASC;
