-- What contacts had done by the day that it is in the past; where it goes by what was known, as far as it
-- had been loaded. A purchase that was taken back later is one until then.
-- Grain: interaction. Reads: core.interaction, raw.load, past_today, taken_back. Writes: a temporary view
-- of the session. No parameters. Once a session.
CREATE TEMPORARY VIEW core__interaction AS
SELECT
    interaction.contact_id,
    interaction.source,
    interaction.source_event_id,
    CASE
        WHEN taken_back.taken_back_on > today.as_of
            THEN CAST('purchase' AS core.interaction_kind)
        ELSE interaction.kind
    END AS kind,
    interaction.occurred_at,
    interaction.occurred_on,
    interaction.amount,
    interaction.currency,
    interaction.product_id,
    interaction.coupon_code,
    interaction.loaded_at,
    interaction.load_id,
    interaction.is_settled
FROM core.interaction AS interaction
INNER JOIN past_today AS today ON interaction.occurred_on <= today.as_of
LEFT JOIN raw.load AS load ON interaction.load_id = load.load_id
LEFT JOIN taken_back
    ON
        interaction.contact_id = taken_back.contact_id
        AND interaction.source = taken_back.source
        AND interaction.source_event_id = taken_back.source_event_id
WHERE load.as_of <= today.as_of OR NOT today.is_known;
