-- The lifecycle classes that contacts have, the most frequent first; NULL for those without one.
-- Grain: class. Reads: core.contact. No parameters. Writes nothing.
SELECT
    contact.lifecycle_class,
    count(*) AS contacts
FROM core.contact AS contact
WHERE contact.merged_into IS NULL AND contact.status <> 'erased'
GROUP BY contact.lifecycle_class
ORDER BY count(*) DESC, contact.lifecycle_class ASC;
