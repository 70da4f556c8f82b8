-- Note the open episodes of which a message was opened by a human since a day before the last day was
-- decided: the day more is for the hits that were being written meanwhile.
-- Grain: episode. Reads: outbox.judged_hit, outbox.message. Writes: cohort.episode.
-- Parameters: after. Twice: the same mark.
UPDATE cohort.episode AS episode
SET is_opened = TRUE
FROM outbox.judged_hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
WHERE
    hit.at > CAST(:after AS timestamptz) - interval '1 day'
    AND hit.verdict = 'human'
    AND episode.contact_id = message.contact_id
    AND episode.dormant_since = message.dormant_since
    AND episode.closed_on IS NULL
    AND NOT episode.is_opened;
