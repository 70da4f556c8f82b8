-- Let the load's cards say what they say about their contacts. A column that the source maps
-- replaces what was there, even by nothing; the others are left to the other sources.
-- Grain: contact. Reads: raw.contact, core.contact_identity. Writes: core.contact,
-- core.contact_activity. Parameters: load_id, mapped, as_of. Twice: the same values.
WITH card AS (
    SELECT DISTINCT ON (identity.contact_id)
        identity.contact_id,
        card.phone,
        card.phone_hash,
        card.email,
        card.first_name,
        card.last_name,
        card.language,
        card.country,
        card.time_zone,
        card.lifecycle_class,
        card.created_on
    FROM raw.contact AS card
    INNER JOIN core.contact_identity AS identity
        ON
            card.source = identity.source
            AND card.source_contact_id = identity.source_contact_id
    WHERE card.load_id = :load_id AND card.status = 'loaded'
    ORDER BY identity.contact_id ASC, card.file_id DESC, card.line DESC
),

mapped AS (
    SELECT
        'phone' = ANY(CAST(:mapped AS text [])) AS phone,
        'email' = ANY(CAST(:mapped AS text [])) AS email,
        'first_name' = ANY(CAST(:mapped AS text [])) AS first_name,
        'last_name' = ANY(CAST(:mapped AS text [])) AS last_name,
        'language' = ANY(CAST(:mapped AS text [])) AS language,
        'country' = ANY(CAST(:mapped AS text [])) AS country,
        'time_zone' = ANY(CAST(:mapped AS text [])) AS time_zone,
        'lifecycle_class' = ANY(CAST(:mapped AS text [])) AS lifecycle_class
)

UPDATE core.contact AS contact
SET
    phone_e164 = CASE WHEN mapped.phone THEN card.phone ELSE contact.phone_e164 END,
    phone_hash = CASE WHEN mapped.phone THEN card.phone_hash ELSE contact.phone_hash END,
    email = CASE WHEN mapped.email THEN card.email ELSE contact.email END,
    first_name = CASE WHEN mapped.first_name THEN card.first_name ELSE contact.first_name END,
    last_name = CASE WHEN mapped.last_name THEN card.last_name ELSE contact.last_name END,
    language = CASE WHEN mapped.language THEN card.language ELSE contact.language END,
    country = CASE WHEN mapped.country THEN card.country ELSE contact.country END,
    time_zone = CASE WHEN mapped.time_zone THEN card.time_zone ELSE contact.time_zone END,
    lifecycle_class
    = CASE WHEN mapped.lifecycle_class THEN card.lifecycle_class ELSE contact.lifecycle_class END,
    created_on = least(contact.created_on, card.created_on),
    updated_load_id = :load_id
FROM card
CROSS JOIN mapped
WHERE
    contact.contact_id = card.contact_id
    AND contact.status <> 'erased';
