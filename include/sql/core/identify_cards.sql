-- Give every id of the load's cards a contact: the card's own ids first, then the other ids that
-- nobody has yet, which go to the (first) card that names them.
-- Grain: identity. Reads: card_id. Writes: core.contact, core.contact_identity,
-- core.contact_activity. Parameters: load_id, as_of. Twice: a known id is left alone.
WITH unknown AS (
    SELECT
        nextval('core.contact_contact_id_seq') AS contact_id,
        wanted.source,
        wanted.card,
        wanted.joined_id
    FROM (
        SELECT
            own.source,
            own.card,
            -- An id of another source that is known already says who this is.
            min(identity.contact_id) AS joined_id
        FROM card_id AS own
        LEFT JOIN card_id AS other ON own.card = other.card AND NOT other.is_own
        LEFT JOIN core.contact_identity AS identity
            ON
                other.source = identity.source
                AND other.source_contact_id = identity.source_contact_id
        WHERE
            own.is_own
            AND NOT EXISTS (
                SELECT 1
                FROM core.contact_identity AS known
                WHERE known.source = own.source AND known.source_contact_id = own.source_contact_id
            )
        GROUP BY own.source, own.card
        ORDER BY own.source, own.card
    ) AS wanted
),

contact AS (
    INSERT INTO core.contact (
        contact_id, first_source, first_source_contact_id, first_seen_on, updated_load_id
    )
    SELECT
        unknown.contact_id,
        unknown.source,
        unknown.card,
        :as_of,
        :load_id
    FROM unknown
    WHERE unknown.joined_id IS NULL
    RETURNING contact_id
),

activity AS (
    INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)
    SELECT
        contact.contact_id,
        :as_of,
        :load_id
    FROM contact
)

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
SELECT
    coalesce(unknown.joined_id, unknown.contact_id),
    unknown.source,
    unknown.card,
    coalesce(unknown.joined_id, unknown.contact_id),
    :load_id
FROM unknown;

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
SELECT DISTINCT ON (other.source, other.source_contact_id)
    own.contact_id,
    other.source,
    other.source_contact_id,
    own.contact_id,
    :load_id
FROM card_id AS other
INNER JOIN card_id AS card ON other.card = card.card AND card.is_own
INNER JOIN core.contact_identity AS own
    ON card.source = own.source AND card.source_contact_id = own.source_contact_id
WHERE NOT other.is_own
ORDER BY other.source, other.source_contact_id, own.contact_id
ON CONFLICT (source, source_contact_id) DO NOTHING;
