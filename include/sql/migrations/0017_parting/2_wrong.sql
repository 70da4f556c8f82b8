-- Contacts that are several cards of one source: each card is a contact of its own, but for cards of
-- a source with one phone. An id goes with the one who named it; what several named is nobody's.
CREATE TEMPORARY TABLE mark ON COMMIT DROP AS
SELECT
    -- The next day that is decided follows what is marked so.
    (SELECT coalesce(max(day.last_load_id), 0) + 1 FROM cohort.day AS day) AS load_id,
    coalesce(
        (
            SELECT CAST(string_to_array(known.value, ',') AS core.interaction_kind[])
            FROM core.derived_from AS known
            WHERE known.name = 'signals' AND known.value <> ''
        ),
        CAST('{purchase,visit,loyalty,email_click,reply,login}' AS core.interaction_kind[])
    ) AS signals;

CREATE TEMPORARY TABLE card ON COMMIT DROP AS
SELECT
    identity.contact_id,
    own.source,
    own.source_contact_id,
    coalesce('phone ' || phone.id, 'card ' || own.source_contact_id) AS who
FROM core.card_id AS own
INNER JOIN core.contact_identity AS identity
    ON own.source = identity.source AND own.source_contact_id = identity.source_contact_id
LEFT JOIN core.card_id AS phone
    ON
        own.source = phone.source
        AND own.source_contact_id = phone.source_contact_id
        AND phone.id_source = '@phone'
WHERE own.source = own.id_source AND own.source_contact_id = own.id;

CREATE TEMPORARY TABLE wrong ON COMMIT DROP AS
SELECT DISTINCT several.contact_id
FROM (
    SELECT card.contact_id
    FROM card
    GROUP BY card.contact_id, card.source
    HAVING count(DISTINCT card.who) > 1
) AS several;

CREATE TEMPORARY TABLE kin ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY identity.source, identity.source_contact_id) AS node,
    identity.source,
    identity.source_contact_id
FROM wrong
INNER JOIN core.contact_identity AS identity ON wrong.contact_id = identity.contact_id;

ANALYZE kin;

CREATE TEMPORARY TABLE person ON COMMIT DROP AS
SELECT
    kin.node,
    dense_rank() OVER (
        ORDER BY
            coalesce(card.source, holder.source, ''),
            coalesce(card.who, holder.who, kin.source || ' ' || kin.source_contact_id)
    ) AS person
FROM kin
LEFT JOIN card ON kin.source = card.source AND kin.source_contact_id = card.source_contact_id
LEFT JOIN
    (
        SELECT
            named.id_source,
            named.id,
            min(by_card.source) AS source,
            min(by_card.who) AS who
        FROM core.card_id AS named
        INNER JOIN card AS by_card
            ON
                named.source = by_card.source
                AND named.source_contact_id = by_card.source_contact_id
        INNER JOIN wrong ON by_card.contact_id = wrong.contact_id
        WHERE named.id_source <> named.source
        GROUP BY named.id_source, named.id
        HAVING
            count(DISTINCT by_card.source || ' ' || by_card.who) = 1
    ) AS holder
    ON kin.source = holder.id_source AND kin.source_contact_id = holder.id;
