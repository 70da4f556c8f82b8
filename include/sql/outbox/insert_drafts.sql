-- Write the day's messages as drafts, with their links and coupons. A message that was never handed
-- off is drafted anew under its key; one that was (or may have been) stays as it is, and its new
-- link and coupon are not written. A code that the message has already stays its own.
-- Grain: contact × dormant_since × step × channel. Reads: drafted. Writes: outbox.message,
-- outbox.link, outbox.coupon. Parameters: as_of, channel, at, link_expires_at, day_began_at,
-- currency (of what orders must come to).
-- Twice: a draft replaces a draft; the transaction of the day runs once.
WITH written AS (
    INSERT INTO outbox.message (
        contact_id, message_id, dormant_since, step, variant, channel, as_of, phone_hash, body, encoding,
        segments, expected_price, not_before, not_after, status, status_at
    )
    SELECT
        drafted.contact_id,
        drafted.message_id,
        drafted.dormant_since,
        drafted.step,
        drafted.variant,
        :channel,
        :as_of,
        drafted.phone_hash,
        drafted.body,
        drafted.encoding,
        drafted.segments,
        drafted.expected_price,
        drafted.not_before,
        drafted.not_after,
        'draft',
        :at
    FROM drafted
    ORDER BY drafted.contact_id
    ON CONFLICT (contact_id, dormant_since, step, channel) DO UPDATE
        SET
            as_of = excluded.as_of,
            variant = excluded.variant,
            phone_hash = excluded.phone_hash,
            body = excluded.body,
            encoding = excluded.encoding,
            segments = excluded.segments,
            expected_price = excluded.expected_price,
            not_before = excluded.not_before,
            not_after = excluded.not_after,
            status = excluded.status,
            status_at = excluded.status_at,
            attempts = 0,
            error_code = NULL,
            refused_at = NULL
        WHERE message.status IN ('draft', 'queued', 'cancelled')
    RETURNING message.message_id
),

-- What an earlier draft of the message promised was never handed off: it is worth nothing.
unlinked AS (
    DELETE FROM outbox.link AS link
    USING written
    WHERE link.message_id = written.message_id
),

voided AS (
    DELETE FROM outbox.coupon AS coupon
    USING written, drafted
    WHERE
        coupon.message_id = written.message_id
        AND coupon.message_id = drafted.message_id
        AND coupon.role = 'coupon'
        AND coupon.code IS DISTINCT FROM drafted.coupon_code
),

-- A code of a pool that an earlier draft of the message was given.
kept AS (
    UPDATE outbox.coupon AS coupon
    SET
        kind = CAST(drafted.coupon_kind AS outbox.coupon_kind),
        value = drafted.coupon_value,
        minimum = drafted.coupon_minimum,
        currency = :currency,
        starts_at = drafted.coupon_starts_at,
        expires_at = drafted.coupon_expires_at
    FROM drafted
    INNER JOIN written ON drafted.message_id = written.message_id
    WHERE
        coupon.message_id = drafted.message_id
        AND coupon.role = 'coupon'
        AND coupon.code = drafted.coupon_code
    RETURNING coupon.code
),

linked AS (
    INSERT INTO outbox.link (code, message_id, contact_id, target, created_at, expires_at)
    SELECT
        drafted.link_code,
        drafted.message_id,
        drafted.contact_id,
        'landing:' || drafted.landing,
        :at,
        :link_expires_at
    FROM drafted
    INNER JOIN written ON drafted.message_id = written.message_id
)

INSERT INTO outbox.coupon (
    code, message_id, contact_id, kind, value, minimum, currency, starts_at, expires_at, made_at,
    day_began_at
)
SELECT
    drafted.coupon_code,
    drafted.message_id,
    drafted.contact_id,
    CAST(drafted.coupon_kind AS outbox.coupon_kind) AS kind,
    drafted.coupon_value,
    drafted.coupon_minimum,
    :currency,
    drafted.coupon_starts_at,
    drafted.coupon_expires_at,
    :at,
    :day_began_at
FROM drafted
INNER JOIN written ON drafted.message_id = written.message_id
WHERE
    drafted.coupon_code IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM kept
        WHERE kept.code = drafted.coupon_code
    );
