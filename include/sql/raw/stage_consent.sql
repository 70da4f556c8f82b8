-- The staging table of one file of consents: good rows and bad, before they are told apart.
-- Grain: a row of the file. Gone with the transaction, so running it twice is safe.
CREATE TEMPORARY TABLE staged ON COMMIT DROP AS
SELECT
    consent.line,
    CAST(NULL AS text) AS reason,
    consent.record_key,
    consent.record_hash,
    consent.dated_on,
    FALSE AS is_excluded,
    FALSE AS has_status,
    consent.problems,
    consent.record,
    consent.contact_source,
    consent.source_contact_id,
    consent.channel,
    consent.purpose,
    consent.basis,
    consent.granted_at,
    consent.withdrawn_at,
    consent.wording,
    consent.language
FROM raw.consent AS consent
WITH NO DATA;
