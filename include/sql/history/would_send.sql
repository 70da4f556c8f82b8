-- Take for texted whom a day of the past would have written to.
-- Grain: decision to send. Reads: cohort__decision, core__contact. Writes: outbox__message. Parameters:
-- as_of, at, channel. Once a day.
INSERT INTO outbox__message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, encoding, segments,
    not_before, not_after, status, status_at, accepted_at, variant
)
SELECT
    decision.contact_id,
    CAST(md5(concat_ws(' ', decision.contact_id, decision.dormant_since, decision.step)) AS uuid),
    decision.dormant_since,
    decision.step,
    :channel,
    :as_of,
    contact.phone_hash,
    'GSM-7',
    0,
    :at,
    :at,
    'accepted',
    :at,
    :at,
    decision.variant
FROM cohort__decision AS decision
INNER JOIN core__contact AS contact ON decision.contact_id = contact.contact_id
WHERE decision.as_of = :as_of AND decision.action = 'send';
