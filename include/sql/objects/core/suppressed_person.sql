-- Who is not written to, whatever their number: what stands against a person.
-- Grain: suppression that stands. Reads: core.suppression.
CREATE OR REPLACE VIEW core.suppressed_person AS
SELECT
    suppression.contact_id,
    suppression.phone_hash,
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since,
    suppression.until
FROM core.suppression AS suppression
WHERE suppression.lifted_at IS NULL AND suppression.scope = 'person';
