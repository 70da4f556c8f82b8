-- The contacts that a person is: itself, and those that were merged into it. Messages, hits and episodes
-- keep the contact that they were of.
-- Grain: person × contact. Reads: core.contact.
CREATE OR REPLACE VIEW core.person_contact AS
SELECT
    contact.contact_id AS person_id,
    contact.contact_id
FROM core.contact AS contact
UNION ALL
SELECT
    contact.merged_into,
    contact.contact_id
FROM core.contact AS contact
WHERE contact.merged_into IS NOT NULL;
