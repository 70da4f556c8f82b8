-- What holds a contact like a withdrawal of its own, until a later consent of its own: every stop
-- of those it is tied to, and what another who has its number has withdrawn. Ask for one contact:
-- many may have one number. For many at once there is core.withdrawal_of_number, number by number.
-- Grain: contact × stop of another. purpose: NULL for all; ended_at: when the other agreed again.
-- Reads: core.stop_tie, core.withdrawal, core.withdrawal_of_number, core.suppression, core.contact.
CREATE OR REPLACE VIEW core.stop_elsewhere AS
SELECT
    tie.contact_id,
    tie.by_contact_id,
    tie.is_by_email,
    stop.channel,
    stop.purpose,
    stop.stopped_at,
    stop.ended_at,
    FALSE AS is_by_number
FROM core.stop_tie AS tie
CROSS JOIN
    LATERAL (
        SELECT every.*
        FROM (
            SELECT
                withdrawal.channel,
                withdrawal.purpose,
                withdrawal.withdrawn_at AS stopped_at,
                withdrawal.ended_at
            FROM core.withdrawal AS withdrawal
            WHERE withdrawal.contact_id = tie.by_contact_id
            UNION ALL
            SELECT
                suppression.channel,
                NULL,
                suppression.since,
                NULL
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = tie.by_contact_id
                AND suppression.lifted_at IS NULL
                AND suppression.reason IN ('opted_out', 'complaint')
        ) AS every
        ORDER BY every.stopped_at
        OFFSET 0
    ) AS stop
UNION ALL
SELECT
    contact.contact_id,
    theirs.contact_id,
    FALSE,
    theirs.channel,
    theirs.purpose,
    theirs.withdrawn_at,
    theirs.ended_at,
    TRUE
FROM core.contact AS contact
INNER JOIN core.withdrawal_of_number AS theirs
    ON
        theirs.phone_hash = ANY(core.phone_hashes(contact.phone_hash))
        AND contact.contact_id <> theirs.contact_id;
