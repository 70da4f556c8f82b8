-- Contacts for the load's cards that have to do with nobody: new, and of all that they name nothing
-- is held by another card, known, or refused. What they say is all that is said of them. Everybody else is
-- gathered, and told apart. Returns how many they are.
-- Grain: card. Reads: touched_card, shared_id, raw.contact, raw.consent, core.card_id,
-- core.contact_identity, core.digest_alias.
-- Writes: core.contact, core.contact_activity, core.contact_identity, the temporary table alone.
-- Parameters: load_id, as_of. Twice: who is known is not alone.
DROP TABLE IF EXISTS alone;

CREATE TEMPORARY TABLE alone ON COMMIT DROP AS
WITH said AS (
    SELECT
        touched_card.source,
        touched_card.source_contact_id,
        known.id_source,
        known.id
    FROM touched_card
    INNER JOIN core.card_id AS known
        ON
            touched_card.source = known.source
            AND touched_card.source_contact_id = known.source_contact_id
),

unbound AS (
    SELECT
        touched_card.source,
        touched_card.source_contact_id
    FROM touched_card
    EXCEPT
    SELECT
        said.source,
        said.source_contact_id
    FROM said
    INNER JOIN shared_id ON said.id_source = shared_id.id_source AND said.id = shared_id.id
    EXCEPT
    SELECT
        said.source,
        said.source_contact_id
    FROM said
    INNER JOIN core.contact_identity AS known
        ON said.id_source = known.source AND said.id = known.source_contact_id
    EXCEPT
    -- Of a number that is written in several ways, any may be another card's.
    SELECT
        said.source,
        said.source_contact_id
    FROM said
    INNER JOIN core.digest_alias AS alias ON said.id = alias.digest
    INNER JOIN core.card_id AS other
        ON said.id_source = other.id_source AND alias.alias_digest = other.id
    WHERE said.id_source = '@phone'
    EXCEPT
    -- What was refused under an id before any card named it is to be heard.
    SELECT
        said.source,
        said.source_contact_id
    FROM said
    INNER JOIN raw.consent AS refusal
        ON said.id_source = refusal.contact_source AND said.id = refusal.source_contact_id
    WHERE refusal.status = 'excluded'
),

newcomer AS (
    SELECT
        unbound.source,
        unbound.source_contact_id
    FROM unbound
    INNER JOIN raw.contact AS card
        ON unbound.source = card.source AND unbound.source_contact_id = card.record_key
    WHERE card.load_id = :load_id AND card.status = 'loaded'
    ORDER BY unbound.source, unbound.source_contact_id
)

SELECT
    newcomer.source,
    newcomer.source_contact_id,
    nextval('core.contact_contact_id_seq') AS contact_id
FROM newcomer;

ANALYZE alone;

INSERT INTO core.contact (
    contact_id, phone_e164, phone_hash, phone_kind, email, first_name, last_name, language,
    country, time_zone, lifecycle_class, created_on, first_source, first_source_contact_id,
    first_seen_on, updated_load_id
)
SELECT
    alone.contact_id,
    card.phone,
    card.phone_hash,
    CAST(card.phone_kind AS core.phone_kind) AS phone_kind,
    card.email,
    card.first_name,
    card.last_name,
    card.language,
    card.country,
    card.time_zone,
    card.lifecycle_class,
    card.created_on,
    alone.source,
    alone.source_contact_id,
    :as_of,
    :load_id
FROM alone
INNER JOIN raw.contact AS card
    ON alone.source = card.source AND alone.source_contact_id = card.record_key
WHERE card.load_id = :load_id AND card.status = 'loaded'
ORDER BY alone.contact_id;

INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)
SELECT
    contact.contact_id,
    coalesce(contact.created_on, contact.first_seen_on),
    :load_id
FROM alone
INNER JOIN core.contact AS contact ON alone.contact_id = contact.contact_id
ORDER BY contact.contact_id;

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
SELECT
    alone.contact_id,
    said.id_source,
    said.id,
    alone.contact_id,
    :load_id
FROM alone
INNER JOIN core.card_id AS said
    ON alone.source = said.source AND alone.source_contact_id = said.source_contact_id
WHERE said.id_source NOT IN ('@phone', '@email')
ORDER BY said.id_source, said.id;

SELECT count(*) AS alone FROM alone;
