-- Who is who is worked out from what the cards have said: every id that a card has ever named is
-- kept, so that an id which a second card of the source names, however much later, joins nobody.
CREATE TYPE core.hold AS ENUM (
    'whole',    -- it joins the card to the id; where two cards of a source hold it, it restrains
    'stops',    -- a placeholder by now, but the card named it before: only stops under it hold
    'nothing'   -- a placeholder: it joins and restrains nobody
);

-- A card's own id is one of them: by it a card is told from an id that others only name.
-- Of @phone and @email only the last that the card has said is here, as a hash.
CREATE TABLE core.card_id (
    source text NOT NULL,
    source_contact_id text NOT NULL,   -- the card
    id_source text NOT NULL,           -- whose id it names; or @phone, @email
    id text NOT NULL,
    is_verified boolean NOT NULL DEFAULT TRUE,
    hold core.hold NOT NULL DEFAULT 'whole',
    load_id bigint NOT NULL,           -- that named it first
    PRIMARY KEY (source, source_contact_id, id_source, id)
);
CREATE INDEX card_by_id ON core.card_id (id_source, id);

-- Who is held by what happens to another contact: a card names an id that is not joined to it.
-- Grain: holder × contact of the id (twice, where two cards of the holder name it).
CREATE VIEW core.restraint AS
SELECT
    holder.contact_id,
    held.contact_id AS by_contact_id,
    named.hold
FROM core.contact_identity AS holder
INNER JOIN core.card_id AS named
    ON
        holder.source = named.source
        AND holder.source_contact_id = named.source_contact_id
INNER JOIN core.contact_identity AS held
    ON
        named.id_source = held.source
        AND named.id = held.source_contact_id
WHERE holder.contact_id <> held.contact_id AND named.hold <> 'nothing';

-- What shows that a contact is alive: what they did, and what happened under an id that they only
-- share, which counts for nothing else.
-- Grain: contact × interaction.
CREATE VIEW core.sign_of_life AS
SELECT
    interaction.contact_id,
    interaction.kind,
    interaction.occurred_at,
    interaction.occurred_on,
    TRUE AS is_own,
    interaction.contact_id AS by_contact_id,
    interaction.source
FROM core.interaction AS interaction
UNION ALL
SELECT
    restraint.contact_id,
    interaction.kind,
    interaction.occurred_at,
    interaction.occurred_on,
    FALSE,
    interaction.contact_id,
    interaction.source
FROM core.restraint AS restraint
INNER JOIN core.interaction AS interaction ON restraint.by_contact_id = interaction.contact_id
WHERE restraint.hold = 'whole';

-- What holds a contact like a withdrawal of its own, until a later consent of its own: a withdrawal
-- or a stop of an id that it only shares, or of another card with the same verified email.
-- Grain: contact × stop of another. purpose: NULL for all; ended_at: when the other agreed again.
CREATE VIEW core.stop_elsewhere AS
SELECT
    other.contact_id,
    other.by_contact_id,
    other.is_by_email,
    stop.channel,
    stop.purpose,
    stop.stopped_at,
    stop.ended_at
FROM (
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
        AND mine.contact_id <> theirs.contact_id
) AS other
CROSS JOIN
    LATERAL (
        SELECT
            said.channel,
            said.purpose,
            said.withdrawn_at AS stopped_at,
            (
                SELECT min(again.granted_at)
                FROM core.consent AS again
                WHERE
                    again.contact_id = other.by_contact_id
                    AND again.channel = said.channel
                    AND again.purpose = said.purpose
                    AND again.granted_at > said.withdrawn_at
            ) AS ended_at
        FROM (
            -- A source that says a record of the same time anew corrects it.
            SELECT DISTINCT ON (consent.source, consent.record_key, consent.effective_at)
                consent.channel,
                consent.purpose,
                consent.withdrawn_at
            FROM core.consent AS consent
            WHERE consent.contact_id = other.by_contact_id
            ORDER BY
                consent.source ASC, consent.record_key ASC, consent.effective_at ASC, consent.consent_id DESC
        ) AS said
        WHERE said.withdrawn_at IS NOT NULL
        UNION ALL
        SELECT
            suppression.channel,
            NULL,
            suppression.since,
            NULL
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id = other.by_contact_id
            AND suppression.lifted_at IS NULL
            AND suppression.reason IN ('opted_out', 'complaint')
    ) AS stop;
