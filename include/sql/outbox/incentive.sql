-- The incentive that a message was given, if it was.
-- Grain: at most one coupon. Reads: outbox.coupon. Parameters: contact_id, message_id. Writes nothing.
SELECT
    coupon.code,
    CAST(coupon.kind AS text) AS kind,
    coupon.value,
    coupon.expires_at,
    coupon.minimum,
    coupon.starts_at
FROM outbox.coupon AS coupon
WHERE
    coupon.message_id = :message_id
    AND coupon.contact_id = :contact_id
    AND coupon.role = 'incentive';
