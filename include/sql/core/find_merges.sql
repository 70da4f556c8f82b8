-- Contacts that turned out to be another.
-- Grain: contact to be merged. Reads: claimed. No parameters. Writes nothing.
SELECT
    claimed.contact_id AS merged_id,
    claimed.kept_id
FROM claimed
WHERE claimed.contact_id <> claimed.kept_id AND claimed.merged_into IS NULL
ORDER BY claimed.contact_id;
