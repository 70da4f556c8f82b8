-- Record that a link was fetched or a button on its page was pressed, and say what to show.
-- Grain: at most one row: the link of the code, with its message's number (hashed), its coupon, and
-- whether the person has opted out. No row: there is no such link, and nothing is recorded.
-- Reads: outbox.link, outbox.message, outbox.coupon, core.suppression. Writes: outbox.hit.
-- Parameters: code; at: when; kind: view or press; method: of HTTP; user_agent and purpose: as the
-- request's headers say, '' without; channel: of the suppression.
-- Running it twice records two hits, as two requests are. It changes nothing about the contact.
WITH link AS (
    SELECT
        code,
        contact_id,
        message_id,
        target,
        expires_at
    FROM outbox.link
    WHERE code = :code
),

hit AS (
    INSERT INTO outbox.hit (code, contact_id, message_id, at, kind, method, user_agent, purpose)
    SELECT
        code,
        contact_id,
        message_id,
        CAST(:at AS timestamptz),
        CAST(:kind AS outbox.hit_kind),
        CAST(:method AS text),
        CAST(:user_agent AS text),
        CAST(:purpose AS text)
    FROM link
)

SELECT
    link.contact_id,
    link.target,
    link.expires_at,
    message.phone_hash,
    coupon.code AS coupon_code,
    CAST(coupon.kind AS text) AS coupon_kind,
    coupon.value AS coupon_value,
    coupon.expires_at AS coupon_expires_at,
    coupon.redeemed_at AS coupon_redeemed_at,
    EXISTS(
        SELECT 1
        FROM core.suppression
        WHERE
            (
                suppression.contact_id = link.contact_id
                OR suppression.phone_hash = message.phone_hash
            )
            AND suppression.channel = :channel
            AND suppression.reason = 'opted_out'
            AND suppression.lifted_at IS NULL
    ) AS is_opted_out
FROM link
LEFT JOIN outbox.message AS message
    ON link.contact_id = message.contact_id AND link.message_id = message.message_id
LEFT JOIN outbox.coupon AS coupon
    ON link.contact_id = coupon.contact_id AND link.message_id = coupon.message_id
