-- What was withdrawn by whoever has a number: it holds the number, as a stop by reply does, and so
-- everybody who has it, in any spelling (core.phone_hashes). A withdrawal for email is of no
-- number.
-- Grain: contact with a number × withdrawal.
-- Reads: core.withdrawal, core.contact.
CREATE OR REPLACE VIEW core.withdrawal_of_number AS
SELECT
    holder.phone_hash,
    stop.contact_id,
    stop.channel,
    stop.purpose,
    stop.withdrawn_at,
    stop.ended_at
FROM core.contact AS holder
CROSS JOIN
    LATERAL (
        SELECT withdrawal.*
        FROM core.withdrawal AS withdrawal
        WHERE withdrawal.contact_id = holder.contact_id AND withdrawal.channel <> 'email'
        -- By the holders of a number, and never the other way round, over everybody's.
        ORDER BY withdrawal.withdrawn_at
        OFFSET 0
    ) AS stop
WHERE holder.phone_hash IS NOT NULL;
