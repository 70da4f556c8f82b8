-- Leave a contact alone until a day: what a press on the page's button for a break does. The rule is
-- core.pause.
-- Grain: contact. Calls core.pause. Parameters: contact_id; phone_hash: of the number the person was
-- written to, NULL where it is not known; channel; source: what wrote it; at: when; until_on: the first
-- brand day after the break. Twice: one break.
SELECT
    core.pause(
        CAST(:contact_id AS bigint),
        CAST(:phone_hash AS text),
        CAST(:channel AS text),
        CAST(:source AS text),
        CAST(:at AS timestamptz),
        CAST(:until_on AS date)
    ) AS done;
