-- What each card said, and when: a version stands from the day of the load that brought it until the
-- day of the one that brought another. Without what names a person: the number is its hash.
--   known_from   as_of of its load; known_until: as_of of the load that replaced it, null: it stands
-- Grain: source row. Reads: raw.contact, raw.load.
CREATE OR REPLACE VIEW history.card_version AS
SELECT
    row.source,
    row.source_contact_id,
    row.phone_hash,
    row.phone_kind,
    row.language,
    row.country,
    row.time_zone,
    row.lifecycle_class,
    row.created_on,
    row.loyalty_card_id,
    row.shop_account_id,
    CASE WHEN row.status <> 'superseded' THEN row.status ELSE row.stood_as END <> 'excluded' AS is_fact,
    load.as_of AS known_from,
    later.as_of AS known_until
FROM raw.contact AS row
INNER JOIN raw.load AS load ON row.load_id = load.load_id
LEFT JOIN raw.load AS later ON row.superseded_by = later.load_id
WHERE load.status = 'loaded';
