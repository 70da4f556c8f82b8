-- What contacts have said about being written to, as it stands: a source that says a record of the
-- same time anew corrects it, and what it said before neither grants nor withdraws.
-- Grain: contact × record of a time. Reads: core.consent.
CREATE OR REPLACE VIEW core.consent_record AS
SELECT
    said.contact_id,
    said.source,
    said.record_key,
    said.channel,
    said.purpose,
    said.basis,
    said.granted_at,
    said.withdrawn_at,
    said.effective_at
FROM core.consent AS said
WHERE
    NOT EXISTS (
        SELECT 1
        FROM core.consent AS correction
        WHERE
            correction.contact_id = said.contact_id
            AND correction.source = said.source
            AND correction.record_key = said.record_key
            AND correction.effective_at = said.effective_at
            AND correction.consent_id > said.consent_id
    );
