-- The contacts of a benchmark: cards, identities, consents (85 %) and suppressions (3 %). One in
-- twenty has no phone, one in a hundred has the number of another. Numbers are in area code 555,
-- which no telephone has.
-- Grain: contact. Writes: core.contact, core.contact_identity, core.consent, core.suppression.
-- Parameters: contacts, created_on (of the youngest), load_id, load_on.
-- Twice: refused by the primary key; it runs once in a database of its own.
INSERT INTO core.contact (
    contact_id, phone_e164, phone_hash, email, first_name, last_name, language, country, time_zone,
    created_on, first_source, first_source_contact_id, first_seen_on, updated_load_id
)
SELECT
    drawn.contact_id,
    drawn.phone,
    encode(sha256(convert_to(drawn.phone, 'UTF8')), 'hex'),
    'c' || drawn.contact_id || '@larkfield.example',
    (ARRAY['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus'])[1 + drawn.draw % 7],
    (ARRAY['Ash', 'Birch', 'Cedar', 'Elm', 'Fir'])[1 + drawn.draw % 5],
    'en',
    'US',
    (ARRAY['America/New_York', 'America/Chicago', 'America/Los_Angeles'])[1 + drawn.draw % 3],
    CAST(:created_on AS date) - CAST(drawn.draw % 300 AS integer),
    'bench',
    'c' || drawn.contact_id,
    :load_on,
    :load_id
FROM (
    SELECT
        keyed.contact_id,
        keyed.draw,
        CASE
            WHEN keyed.draw % 20 = 0 THEN NULL
            WHEN keyed.draw % 100 = 1 AND keyed.contact_id > 1
                THEN '+1555' || lpad(CAST(keyed.contact_id - 2 AS text), 7, '0')
            ELSE '+1555' || lpad(CAST(keyed.contact_id - 1 AS text), 7, '0')
        END AS phone
    FROM (
        SELECT
            series.contact_id,
            hashint8extended(series.contact_id, 11) & 1073741823 AS draw
        FROM generate_series(1, CAST(:contacts AS bigint)) AS series (contact_id)
    ) AS keyed
) AS drawn;

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
SELECT
    contact.contact_id,
    contact.first_source,
    contact.first_source_contact_id,
    contact.contact_id,
    :load_id
FROM core.contact AS contact;

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, basis, granted_at, effective_at, wording,
    language, load_id
)
SELECT
    contact.contact_id,
    'bench',
    contact.first_source_contact_id,
    'sms',
    'marketing',
    'consent',
    CAST(contact.created_on AS timestamptz),
    CAST(contact.created_on AS timestamptz),
    'Texts about offers',
    'en',
    :load_id
FROM core.contact AS contact
WHERE (hashint8extended(contact.contact_id, 12) & 1073741823) % 100 < 85;

INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT
    contact.contact_id,
    contact.phone_hash,
    'sms',
    'opted_out',
    'import',
    CAST(contact.created_on + 30 AS timestamptz)
FROM core.contact AS contact
WHERE (hashint8extended(contact.contact_id, 13) & 1073741823) % 100 < 3;
