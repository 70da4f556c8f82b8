-- Keep the incentive of a message.
-- Grain: coupon. Writes: outbox.coupon. Parameters: code, message_id, contact_id, kind, value,
-- minimum, currency (of the minimum), starts_at, expires_at, at, day_began_at.
-- Twice: refused by the key; whoever calls looks first, under a lock.
INSERT INTO outbox.coupon (
    code, message_id, contact_id, role, kind, value, minimum, currency, starts_at, expires_at,
    made_at, day_began_at
)
VALUES (
    :code, :message_id, :contact_id, 'incentive', CAST(:kind AS outbox.coupon_kind), :value,
    :minimum, :currency, :starts_at, :expires_at, :at, :day_began_at
);
