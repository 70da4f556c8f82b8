-- The texts that scenarios whose audience is kept would have sent, each to the person that its contact
-- is by now.
-- Grain: scenario × contact × day × step. Reads: history.audience, core.contact.
CREATE OR REPLACE VIEW history.would_be_text AS
SELECT
    audience.scenario,
    core.person(contact.contact_id, contact.merged_into) AS contact_id,
    audience.as_of,
    audience.step
FROM history.audience AS audience
INNER JOIN core.contact AS contact ON audience.contact_id = contact.contact_id
WHERE audience.reason = 'due';
