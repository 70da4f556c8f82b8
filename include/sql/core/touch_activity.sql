-- Mark the contacts of the load's cards as touched: when they were created, or their class, may have
-- changed.
-- Grain: contact. Reads: core.contact. Writes: core.contact_activity. Parameters: load_id.
-- Twice: the same values.
UPDATE core.contact_activity AS activity
SET
    visible_on = coalesce(
        least(contact.created_on, activity.first_interaction_on), contact.first_seen_on
    ),
    updated_load_id = :load_id
FROM core.contact AS contact
WHERE
    contact.updated_load_id = :load_id
    AND activity.contact_id = contact.contact_id
    AND (
        activity.updated_load_id <> :load_id
        OR activity.visible_on <> coalesce(
            least(contact.created_on, activity.first_interaction_on), contact.first_seen_on
        )
    );
