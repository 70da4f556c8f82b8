-- What was known of each event, and when: a version stands from the day of the load that brought it
-- until the day of the one that brought another. Rows that were waiting for their day are of it, too.
--   is_fact      whether an order was one, as the source's status had it; null: put aside before this
--                was kept
--   known_from   as_of of its load; known_until: as_of of the load that replaced it, null: it stands
-- Grain: source row. Reads: raw.interaction, raw.load.
CREATE OR REPLACE VIEW history.interaction_version AS
SELECT
    row.source,
    row.record_key AS source_event_id,
    row.contact_source,
    row.source_contact_id,
    row.kind,
    row.occurred_at,
    row.dated_on AS occurred_on,
    row.amount,
    row.currency,
    row.product_id,
    row.coupon_code,
    CASE WHEN row.status <> 'superseded' THEN row.status ELSE row.stood_as END <> 'excluded' AS is_fact,
    load.as_of AS known_from,
    later.as_of AS known_until
FROM raw.interaction AS row
INNER JOIN raw.load AS load ON row.load_id = load.load_id
LEFT JOIN raw.load AS later ON row.superseded_by = later.load_id
WHERE load.status = 'loaded';
