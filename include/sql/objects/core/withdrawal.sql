-- What contacts have withdrawn, and until when it stood.
-- Grain: contact × withdrawal. ended_at: when the contact agreed again.
-- Reads: core.consent_record.
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
        FROM core.consent_record AS again
        WHERE
            again.contact_id = said.contact_id
            AND again.channel = said.channel
            AND again.purpose = said.purpose
            AND again.granted_at > said.withdrawn_at
    ) AS ended_at
FROM core.consent_record AS said
WHERE said.withdrawn_at IS NOT NULL;
