-- Quiet contacts who may be written to, each with a draft of a day that was let go, from one number
-- on. Grain: contact. Writes: core.contact, core.contact_activity, core.consent, cohort.day,
-- cohort.episode, outbox.message. Parameters: first, last (contact ids), quiet_on, as_of, now, not_after.
-- Twice: refused by the primary keys; it runs in a database of its own.
INSERT INTO core.contact (
    contact_id, phone_e164, phone_hash, first_name, language, country, time_zone, first_source,
    first_source_contact_id, first_seen_on, updated_load_id
)
SELECT
    series.contact_id,
    drawn.phone,
    encode(sha256(convert_to(drawn.phone, 'UTF8')), 'hex'),
    'Ada',
    'en',
    'US',
    (ARRAY['America/New_York', 'America/Chicago', 'America/Denver'])[1 + series.contact_id % 3],
    'bench',
    'c' || series.contact_id,
    :quiet_on,
    0
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS series (contact_id)
CROSS JOIN
    LATERAL (SELECT '+1555' || lpad(CAST(series.contact_id AS text), 7, '0') AS phone) AS drawn;

INSERT INTO core.contact_activity (contact_id, last_signal_on, visible_on, updated_load_id)
SELECT
    contact.contact_id,
    :quiet_on,
    :quiet_on,
    0
FROM core.contact AS contact
WHERE contact.contact_id BETWEEN :first AND :last;

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, granted_at, effective_at, load_id
)
SELECT
    contact.contact_id,
    'bench',
    contact.first_source_contact_id,
    'sms',
    'marketing',
    CAST(:quiet_on AS timestamptz),
    CAST(:quiet_on AS timestamptz),
    0
FROM core.contact AS contact
WHERE contact.contact_id BETWEEN :first AND :last;

INSERT INTO cohort.episode (contact_id, dormant_since, opened_on)
SELECT
    contact.contact_id,
    :quiet_on,
    :as_of
FROM core.contact AS contact
WHERE contact.contact_id BETWEEN :first AND :last;

INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id, released_at)
VALUES (:as_of, 'bench', :now, 0, :now)
ON CONFLICT (as_of) DO NOTHING;

INSERT INTO outbox.message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, body, encoding,
    segments, not_before, not_after, status, status_at
)
SELECT
    contact.contact_id,
    gen_random_uuid(),
    :quiet_on,
    'survey',
    'sms',
    :as_of,
    contact.phone_hash,
    'Larkfield: Ada, it''s been a while. One quick question, one tap to answer: '
    || 'https://go.example.com/' || lpad(CAST(contact.contact_id AS text), 9, 'A')
    || ' Reply STOP to end',
    'GSM-7',
    1,
    :now,
    :not_after,
    'draft',
    :now
FROM core.contact AS contact
WHERE contact.contact_id BETWEEN :first AND :last;
