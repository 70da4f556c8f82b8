-- Mark the contacts of the load's cards as touched: their creation date may have changed.
-- Grain: contact. Reads: core.contact. Writes: core.contact_activity. Parameters: load_id.
-- Twice: the same value.
UPDATE core.contact_activity AS activity
SET updated_load_id = :load_id
FROM core.contact AS contact
WHERE contact.updated_load_id = :load_id AND activity.contact_id = contact.contact_id;
