-- Bare: the day's interactions into core, as one would write it by hand.
-- Grain: interaction. Reads: raw.interaction, core.contact_identity. Writes: core.interaction.
-- Parameters: load_id, at. Twice: a known interaction is left alone.
INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, currency,
    product_id, coupon_code, loaded_at, load_id
)
SELECT
    identity.contact_id,
    row.source,
    row.record_key,
    CAST(row.kind AS core.interaction_kind),
    row.occurred_at,
    row.dated_on,
    row.amount,
    row.currency,
    row.product_id,
    row.coupon_code,
    :at,
    :load_id
FROM raw.interaction AS row
INNER JOIN core.contact_identity AS identity
    ON row.contact_source = identity.source AND row.source_contact_id = identity.source_contact_id
WHERE row.load_id = :load_id
ON CONFLICT (contact_id, occurred_on, source, source_event_id) DO NOTHING;
