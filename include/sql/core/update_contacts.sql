-- Let the load's cards say what they say about their contacts. A contact is what all its current
-- cards say: of each field the latest value that is one, so that a source that does not know it
-- takes nothing away from one that does, and a card that is withdrawn takes its values with it.
-- Grain: contact. Reads: raw.contact, raw.load, core.contact_identity, alone. Writes: core.contact.
-- Parameters: load_id, contact_ids: whose cards are others than before. Twice: the same values.
WITH said AS (
    SELECT
        card.source,
        card.record_key
    FROM raw.contact AS card
    WHERE card.load_id = :load_id AND card.status = 'loaded'
    UNION
    SELECT
        card.source,
        card.record_key
    FROM raw.contact AS card
    WHERE card.superseded_by = :load_id
    EXCEPT
    -- What they say is known with them.
    SELECT
        alone.source,
        alone.source_contact_id
    FROM alone
),

touched AS (
    SELECT identity.contact_id
    FROM said
    INNER JOIN core.contact_identity AS identity
        ON said.source = identity.source AND said.record_key = identity.source_contact_id
    UNION
    SELECT changed.contact_id
    FROM unnest(CAST(:contact_ids AS bigint[])) AS changed (contact_id)
),

current_card AS (
    SELECT
        identity.contact_id,
        card.*,
        row_number() OVER (
            PARTITION BY identity.contact_id
            ORDER BY card.load_id DESC, card.file_id DESC, card.line DESC
        ) AS age
    FROM touched
    INNER JOIN core.contact_identity AS identity ON touched.contact_id = identity.contact_id
    INNER JOIN raw.contact AS card
        ON identity.source = card.source AND identity.source_contact_id = card.record_key
    INNER JOIN raw.load AS load ON card.load_id = load.load_id
    WHERE
        card.status = 'loaded'
        -- What a stopped load of another source says is not known yet.
        AND (load.load_id = :load_id OR load.status = 'loaded')
),

best AS (
    SELECT
        touched.contact_id,
        min(card.created_on) AS created_on,
        (array_agg(card.phone ORDER BY card.age) FILTER (WHERE card.phone IS NOT NULL))[1] AS phone,
        (array_agg(card.phone_hash ORDER BY card.age) FILTER (WHERE card.phone_hash IS NOT NULL))[1] AS phone_hash,
        (array_agg(card.phone_kind ORDER BY card.age) FILTER (WHERE card.phone IS NOT NULL))[1] AS phone_kind,
        (array_agg(card.email ORDER BY card.age) FILTER (WHERE card.email IS NOT NULL))[1] AS email,
        (array_agg(card.first_name ORDER BY card.age) FILTER (WHERE card.first_name IS NOT NULL))[1] AS first_name,
        (array_agg(card.last_name ORDER BY card.age) FILTER (WHERE card.last_name IS NOT NULL))[1] AS last_name,
        (array_agg(card.language ORDER BY card.age) FILTER (WHERE card.language IS NOT NULL))[1] AS language,
        (array_agg(card.country ORDER BY card.age) FILTER (WHERE card.country IS NOT NULL))[1] AS country,
        (array_agg(card.time_zone ORDER BY card.age) FILTER (WHERE card.time_zone IS NOT NULL))[1] AS time_zone,
        (array_agg(card.lifecycle_class ORDER BY card.age) FILTER (WHERE card.lifecycle_class IS NOT NULL))[1] AS lifecycle_class
    FROM touched
    LEFT JOIN current_card AS card ON touched.contact_id = card.contact_id
    GROUP BY touched.contact_id
)

UPDATE core.contact AS contact
SET
    phone_e164 = best.phone,
    phone_hash = best.phone_hash,
    phone_kind = CAST(best.phone_kind AS core.phone_kind),
    email = best.email,
    first_name = best.first_name,
    last_name = best.last_name,
    language = best.language,
    country = best.country,
    time_zone = best.time_zone,
    lifecycle_class = best.lifecycle_class,
    created_on = best.created_on,
    updated_load_id = :load_id
FROM best
WHERE contact.contact_id = best.contact_id AND contact.status <> 'erased';
