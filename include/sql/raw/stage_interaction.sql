-- The staging table of one file of interactions: good rows and bad, before they are told apart.
-- Grain: a row of the file. Gone with the transaction, so running it twice is safe.
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT
    interaction.line,
    CAST(NULL AS text) AS reason,
    interaction.record_key,
    interaction.record_hash,
    interaction.dated_on,
    FALSE AS is_excluded,
    FALSE AS has_status,
    interaction.problems,
    interaction.record,
    interaction.contact_source,
    interaction.source_contact_id,
    interaction.kind,
    interaction.occurred_at,
    interaction.amount,
    interaction.currency,
    interaction.product_id,
    interaction.coupon_code
FROM raw.interaction AS interaction
WITH NO DATA;
