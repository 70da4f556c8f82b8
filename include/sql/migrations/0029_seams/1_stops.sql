-- Contacts who have ever withdrawn something: few.
CREATE INDEX consent_withdrawn ON core.consent (contact_id) WHERE withdrawn_at IS NOT NULL;

-- Refusals by the id that they are of, whichever source said them.
CREATE INDEX consent_excluded ON raw.consent (contact_source, source_contact_id)
WHERE status = 'excluded';

-- What contacts have withdrawn, and until when it stood. A source that says a record of the same
-- time anew corrects it: what it said before neither withdraws nor grants.
-- Grain: contact × withdrawal. ended_at: when the contact agreed again.
CREATE VIEW core.withdrawal AS
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

-- What was withdrawn by whoever has a number: it holds the number, as a stop by reply does, and so
-- everybody who has it, in any spelling (core.phone_hashes). A withdrawal for email is of no number.
-- Grain: contact with a number × withdrawal.
CREATE VIEW core.withdrawal_of_number AS
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

-- Whose every stop holds whom: of an id that they only share, or of another card with the same
-- verified email.
-- Grain: contact × the other (several times, where several things tie them).
CREATE VIEW core.stop_tie AS
SELECT
    restraint.contact_id,
    restraint.by_contact_id,
    FALSE AS is_by_email
FROM core.restraint AS restraint
UNION ALL
SELECT
    mine.contact_id,
    theirs.contact_id,
    TRUE
FROM core.contact_identity AS mine
INNER JOIN core.card_id AS said
    ON mine.source = said.source AND mine.source_contact_id = said.source_contact_id
INNER JOIN core.card_id AS same ON said.id = same.id
INNER JOIN core.contact_identity AS theirs
    ON same.source = theirs.source AND same.source_contact_id = theirs.source_contact_id
WHERE
    said.id_source = '@email'
    AND same.id_source = '@email'
    AND (said.is_verified OR same.is_verified)
    AND said.hold <> 'nothing'
    AND same.hold <> 'nothing'
    AND mine.contact_id <> theirs.contact_id;

-- What holds a contact like a withdrawal of its own, until a later consent of its own: every stop of
-- those it is tied to, and what another who has its number has withdrawn. Ask for one contact: many
-- may have one number. For many at once there is core.withdrawal_of_number, number by number.
-- Grain: contact × stop of another. purpose: NULL for all; ended_at: when the other agreed again.
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
