-- Contacts for the ids that the load's rows name and nobody knows: without a phone, until a
-- card says more.
-- Grain: identity. Reads: raw.entity, core.card_id. Writes: core.contact, core.contact_identity,
-- core.contact_activity. Parameters: load_id, as_of, hears_refusals: a row that is excluded counts,
-- too, where a card names its id: what is refused under an id that two cards share holds both.
-- Twice: a known id is left alone.
WITH unknown AS (
    SELECT
        nextval('core.contact_contact_id_seq') AS contact_id,
        wanted.contact_source,
        wanted.source_contact_id
    FROM (
        SELECT DISTINCT
            row.contact_source,
            row.source_contact_id
        FROM raw.entity AS row
        WHERE
            row.load_id = :load_id
            AND (
                row.status = 'loaded'
                OR (
                    CAST(:hears_refusals AS boolean)
                    AND row.status = 'excluded'
                    AND EXISTS (
                        SELECT 1
                        FROM core.card_id AS named
                        WHERE
                            named.id_source = row.contact_source
                            AND named.id = row.source_contact_id
                    )
                )
            )
            AND NOT EXISTS (
                SELECT 1
                FROM core.contact_identity AS known
                WHERE
                    known.source = row.contact_source
                    AND known.source_contact_id = row.source_contact_id
            )
        ORDER BY row.contact_source, row.source_contact_id
    ) AS wanted
),

contact AS (
    INSERT INTO core.contact (
        contact_id, first_source, first_source_contact_id, first_seen_on, updated_load_id
    )
    SELECT
        unknown.contact_id,
        unknown.contact_source,
        unknown.source_contact_id,
        :as_of,
        :load_id
    FROM unknown
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
    unknown.contact_id,
    unknown.contact_source,
    unknown.source_contact_id,
    unknown.contact_id,
    :load_id
FROM unknown;
