-- Take back what a stop by reply did to a number: what a START reply does, or a person who has read
-- a reply that counted as a stop unread. The rule is core.opt_in_phone.
-- Grain: number. Calls core.opt_in_phone. Parameters: phone_hash; channel; at: when it was said;
-- is_unread_only: only what stands because nobody had read a reply. Twice: what is lifted stays so.
SELECT
    core.opt_in_phone(
        CAST(:phone_hash AS text),
        CAST(:channel AS text),
        CAST(:at AS timestamptz),
        CAST(:is_unread_only AS boolean)
    ) AS done;
