-- Make contacts who were each sent a text, with its link: what a hit looks up.
-- Grain: contact. Writes: core.contact, outbox.message, outbox.link. Parameters: contacts; step; at:
-- when the texts were accepted. Once, in an empty warehouse.
WITH numbered AS (
    SELECT
        number,
        CAST(md5('message ' || number) AS uuid) AS message_id,
        md5('phone ' || number) AS phone_hash
    FROM generate_series(1, CAST(:contacts AS integer)) AS number
),

contacts AS (
    INSERT INTO core.contact (
        contact_id, phone_hash, first_name, language, country, first_source,
        first_source_contact_id, first_seen_on
    )
    SELECT
        number,
        phone_hash,
        'Ada',
        'en',
        'US',
        'bench',
        CAST(number AS text),
        '2026-01-01'
    FROM numbered
),

messages AS (
    INSERT INTO outbox.message (
        contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, encoding, segments,
        not_before, not_after, status, status_at, accepted_at
    )
    SELECT
        number,
        message_id,
        '2026-01-01',
        CAST(:step AS text),
        'sms',
        '2026-01-31',
        phone_hash,
        'GSM-7',
        1,
        :at,
        :at,
        'delivered',
        :at,
        :at
    FROM numbered
)

INSERT INTO outbox.link (code, message_id, contact_id, target, created_at, expires_at)
SELECT
    'A' || lpad(CAST(number AS text), 8, '0'),
    message_id,
    number,
    'landing:' || :step,
    :at,
    CAST(:at AS timestamptz) + interval '10 years'
FROM numbered;
