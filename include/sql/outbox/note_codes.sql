-- Note what a load's orders say of coupons, and what those said that it has replaced: whatever it has
-- taken back is looked at beside what it brings.
-- Grain: text that may hold codes. Reads: the temporary table arrived, raw.interaction. Writes: the
-- temporary table told_code. Parameters: load_id. Twice: the same codes.
INSERT INTO told_code (coupon_code)
SELECT arrived.coupon_code
FROM arrived
WHERE arrived.coupon_code IS NOT NULL
UNION
SELECT old.coupon_code
FROM raw.interaction AS old
WHERE old.superseded_by = :load_id AND old.coupon_code IS NOT NULL;
