-- Opt a contact out: what a press on the landing page's button does. The rule is core.opt_out.
-- Grain: contact. Calls core.opt_out. Parameters: contact_id; phone_hash: of the number the person was
-- written to, NULL where it is not known; channel; source: what wrote it; at: when.
-- Twice: the first opt-out stands.
SELECT
    core.opt_out(
        CAST(:contact_id AS bigint),
        CAST(:phone_hash AS text),
        CAST(:channel AS text),
        CAST(:source AS text),
        CAST(:at AS timestamptz)
    ) AS done;
