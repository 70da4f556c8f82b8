-- The staging table of one file of contacts: good rows and bad, before they are told apart.
-- Grain: a row of the file. Gone with the transaction, so running it twice is safe.
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT
    contact.line,
    CAST(NULL AS text) AS reason,
    contact.record_key,
    contact.record_hash,
    contact.dated_on,
    FALSE AS is_excluded,
    FALSE AS has_status,
    contact.problems,
    contact.record,
    contact.source_contact_id,
    contact.phone,
    contact.phone_hash,
    contact.phone_kind,
    contact.email,
    contact.first_name,
    contact.last_name,
    contact.language,
    contact.country,
    contact.time_zone,
    contact.lifecycle_class,
    contact.created_on,
    contact.loyalty_card_id,
    contact.shop_account_id
FROM raw.contact AS contact
WITH NO DATA;
