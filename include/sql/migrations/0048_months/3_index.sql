-- One per (source, source_event_id). A contact's days stand together: what somebody did in some days
-- is found without reading all they ever did.
ALTER TABLE core.interaction
ADD CONSTRAINT interaction_pkey PRIMARY KEY (contact_id, occurred_on, source, source_event_id);

-- Orders by the codes named in them: most have none.
CREATE INDEX interaction_by_code ON core.interaction USING gin (outbox.code_keys(coupon_code))
WHERE coupon_code IS NOT NULL;

CREATE INDEX interaction_by_product
ON core.interaction (product_id, source, occurred_on DESC, occurred_at DESC)
WHERE product_id IS NOT NULL AND kind IN ('purchase', 'loyalty');

-- Contacts who ever gave something back: few.
CREATE INDEX interaction_refunds ON core.interaction (contact_id) WHERE kind = 'refund';
