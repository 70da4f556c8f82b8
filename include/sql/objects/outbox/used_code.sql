-- The codes that orders have used, whoever they were given to, if they were given to anybody. Ask
-- whether code_keys @> ARRAY[one key]: interaction_by_code has it.
-- Grain: interaction with a code. Reads: core.interaction.
CREATE OR REPLACE VIEW outbox.used_code AS
SELECT outbox.code_keys(interaction.coupon_code) AS code_keys
FROM core.interaction AS interaction
WHERE interaction.coupon_code IS NOT NULL AND core.is_order(interaction.kind);
