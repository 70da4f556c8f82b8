-- What contacts have withdrawn, and until when it stood. A source that says a record of the same
-- time anew corrects it: what it said before neither withdraws nor grants.
-- Grain: contact × withdrawal. ended_at: when the contact agreed again.
-- Reads: core.consent.
CREATE OR REPLACE VIEW core.withdrawal AS
SELECT
    said.contact_id,
    said.source,
    said.record_key,
    said.channel,
    said.purpose,
    said.withdrawn_at,
    (
        SELECT min(again.granted_at)
        FROM core.consent AS again
        WHERE
            again.contact_id = said.contact_id
            AND again.channel = said.channel
            AND again.purpose = said.purpose
            AND again.granted_at > said.withdrawn_at
            AND NOT EXISTS (
                SELECT 1
                FROM core.consent AS correction
                WHERE
                    correction.contact_id = again.contact_id
                    AND correction.source = again.source
                    AND correction.record_key = again.record_key
                    AND correction.effective_at = again.effective_at
                    AND correction.consent_id > again.consent_id
            )
    ) AS ended_at
FROM core.consent AS said
WHERE
    said.withdrawn_at IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM core.consent AS correction
        WHERE
            correction.contact_id = said.contact_id
            AND correction.source = said.source
            AND correction.record_key = said.record_key
            AND correction.effective_at = said.effective_at
            AND correction.consent_id > said.consent_id
    );
