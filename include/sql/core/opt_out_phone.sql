-- Opt a number out: what a STOP reply does. The rule is core.opt_out_phone.
-- Grain: number. Calls core.opt_out_phone. Parameters: phone_hash; channel; source: what wrote it
-- (`unread`: nobody had read a reply in time); at: when. Twice: the first opt-out stands.
SELECT
    core.opt_out_phone(
        CAST(:phone_hash AS text),
        CAST(:channel AS text),
        CAST(:source AS text),
        CAST(:at AS timestamptz)
    ) AS done;
