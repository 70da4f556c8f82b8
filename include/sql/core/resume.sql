-- End a break that a person asked for, because they press the button for it. The rule is core.resume.
-- Grain: contact. Calls core.resume. Parameters: contact_id; phone_hash: of the number, NULL where it
-- is not known; channel; at: when. Twice: nothing is left to lift.
SELECT
    core.resume(
        CAST(:contact_id AS bigint),
        CAST(:phone_hash AS text),
        CAST(:channel AS text),
        CAST(:at AS timestamptz)
    ) AS done;
