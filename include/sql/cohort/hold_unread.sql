-- Hold whose text was called off at its claim for a reply that nobody has read: the step is not used
-- up, and is decided again once the reply is read. Returns whose latest decision that was: whoever runs
-- this runs episode.advance for them, by day, in the same transaction.
-- Grain: decision of an open episode. Reads: outbox.message, cohort.episode. Writes: cohort.decision.
-- Parameters: none. Twice: the decision is a hold by then.
WITH held AS (
    UPDATE cohort.decision AS decision
    SET
        action = 'hold',
        reason = 'unread_reply',
        is_final = NOT cohort.passes_by_waiting('unread_reply')
    FROM outbox.message AS message
    INNER JOIN cohort.episode AS episode
        ON
            message.contact_id = episode.contact_id
            AND message.dormant_since = episode.dormant_since
    WHERE
        message.status = 'cancelled'
        AND message.error_code = 'unread_reply'
        AND episode.closed_on IS NULL
        AND decision.contact_id = message.contact_id
        AND decision.as_of = message.as_of
        AND decision.dormant_since = message.dormant_since
        AND decision.step = message.step
        AND decision.action = 'send'
    RETURNING decision.contact_id, decision.dormant_since, decision.as_of
)

SELECT
    held.as_of,
    array_agg(held.contact_id ORDER BY held.contact_id) AS contact_ids
FROM held
LEFT JOIN cohort.decision AS later
    ON
        held.contact_id = later.contact_id
        AND held.dormant_since = later.dormant_since
        AND held.as_of < later.as_of
WHERE later.contact_id IS NULL
GROUP BY held.as_of
ORDER BY held.as_of;
