-- Make contacts who were each sent a text of one of the steps in turn, with its link and, where the
-- step gives one, its coupon: what a hit looks up.
-- Grain: contact. Writes: core.contact, outbox.message, outbox.link, outbox.coupon. Parameters:
-- contacts; steps; landings: their pages; coupons: whether each gives one; at: when the texts were
-- accepted. Once, in an empty warehouse.
WITH numbered AS (
    SELECT
        number,
        CAST(md5('message ' || number) AS uuid) AS message_id,
        md5('phone ' || number) AS phone_hash,
        step.name AS step,
        step.landing,
        step.has_coupon
    FROM generate_series(1, CAST(:contacts AS integer)) AS number
    INNER JOIN
        unnest(CAST(:steps AS text[]), CAST(:landings AS text[]), CAST(:coupons AS boolean[]))
        WITH ORDINALITY AS step (name, landing, has_coupon, place)
        ON step.place = 1 + number % cardinality(CAST(:steps AS text[]))
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
        step,
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
),

given AS (
    INSERT INTO outbox.coupon (code, message_id, contact_id, role, kind, value, expires_at)
    SELECT
        'BENCH-' || number,
        message_id,
        number,
        'coupon',
        'percent',
        15,
        CAST(:at AS timestamptz) + interval '10 years'
    FROM numbered
    WHERE has_coupon
)

INSERT INTO outbox.link (code, message_id, contact_id, target, created_at, expires_at)
SELECT
    'A' || lpad(CAST(number AS text), 8, '0'),
    message_id,
    number,
    'landing:' || landing,
    :at,
    CAST(:at AS timestamptz) + interval '10 years'
FROM numbered;
