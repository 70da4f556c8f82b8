-- What stands against a number, and so against everybody who has it, whoever it was said of. Ask by
-- every hash of the number.
-- Grain: suppression that stands and names a number. Reads: core.suppression.
CREATE OR REPLACE VIEW core.suppressed_number AS
SELECT
    suppression.phone_hash,
    suppression.contact_id,
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since
FROM core.suppression AS suppression
WHERE suppression.lifted_at IS NULL AND suppression.phone_hash IS NOT NULL;
