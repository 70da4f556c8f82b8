-- Why contacts are not written to: what stands against the person, and against the number that they
-- have now. Ask for one contact; for many at once, number by number.
-- Grain: contact × suppression that stands (twice, where it is of both).
-- Reads: core.suppressed_person, core.suppressed_number, core.contact.
CREATE OR REPLACE VIEW core.contact_suppression AS
SELECT
    person.contact_id,
    person.channel,
    person.reason,
    person.since
FROM core.suppressed_person AS person
UNION ALL
SELECT
    contact.contact_id,
    number.channel,
    number.reason,
    number.since
FROM core.contact AS contact
INNER JOIN core.suppressed_number AS number
    ON number.phone_hash = ANY(core.phone_hashes(contact.phone_hash));
