-- What coupons took off the orders of those who are compared: a cost, beside that of the texts.
ALTER TABLE outcome.experiment ADD COLUMN amounts text NOT NULL DEFAULT 'paid'
CHECK (amounts IN ('paid', 'full'));
COMMENT ON COLUMN outcome.experiment.amounts IS
'what an order''s amount is: paid, a coupon is off it already; full: before its coupon';

ALTER TABLE outcome.eligible ADD COLUMN step_discount numeric NOT NULL DEFAULT 0;
ALTER TABLE outcome.eligible ADD COLUMN ladder_discount numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN outcome.eligible.step_discount IS
'what coupons of theirs took off their orders in the first step''s window';
COMMENT ON COLUMN outcome.eligible.ladder_discount IS 'the same, in the ladder''s window';

ALTER TABLE outcome.effect ADD COLUMN treated_discount numeric NOT NULL DEFAULT 0;
ALTER TABLE outcome.effect ADD COLUMN control_discount numeric NOT NULL DEFAULT 0;
ALTER TABLE outcome.effect ADD COLUMN net_revenue_difference double precision;
ALTER TABLE outcome.effect ADD COLUMN net_revenue_low double precision;
ALTER TABLE outcome.effect ADD COLUMN net_revenue_high double precision;
ALTER TABLE outcome.effect ADD COLUMN outlay_per_incremental_return double precision;
ALTER TABLE outcome.effect ADD COLUMN outlay_low double precision;
ALTER TABLE outcome.effect ADD COLUMN outlay_high double precision;
COMMENT ON COLUMN outcome.effect.treated_discount IS 'of all of them, what coupons took off their orders';
COMMENT ON COLUMN outcome.effect.control_discount IS 'of all of them, what coupons took off their orders';
COMMENT ON COLUMN outcome.effect.net_revenue_difference IS
'a contact, less what coupons took off, cut down at revenue_cap; null: from before it was counted';
COMMENT ON COLUMN outcome.effect.net_revenue_low IS '95 %, Welch, of a single look';
COMMENT ON COLUMN outcome.effect.net_revenue_high IS '95 %, Welch, of a single look';
COMMENT ON COLUMN outcome.effect.outlay_per_incremental_return IS
'as cost_per_incremental_return, of texts and of what coupons took off';
COMMENT ON COLUMN outcome.effect.outlay_low IS '95 %, Fieller; null: it has no bounds';
COMMENT ON COLUMN outcome.effect.outlay_high IS '95 %, Fieller; null: it has no bounds';
