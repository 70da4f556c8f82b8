-- purpose: what a contact last said to being written to
-- grain: channel x purpose; reads: core.consent; writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT DISTINCT ON (channel, purpose)
    channel,
    purpose,
    source,
    granted_at,
    withdrawn_at
FROM core.consent
WHERE contact_id = cast(:contact_id AS bigint)
ORDER BY channel ASC, purpose ASC, effective_at DESC, consent_id DESC;
