-- Everybody who was decided on a day, and the text that each is to get.
-- Grain: contact. Reads: cohort.decision (by decision_by_day), outbox.message, core.contact,
-- core.source_ids.
-- Parameters: as_of, channel. Writes nothing.
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.inactive_days,
    decision.step,
    decision.action,
    decision.reason,
    message.segments,
    message.encoding,
    message.expected_price,
    message.not_before,
    decision.variant,
    contact.language,
    contact.country,
    named.ids AS source_ids
FROM cohort.decision AS decision
INNER JOIN core.contact AS contact ON decision.contact_id = contact.contact_id
LEFT JOIN outbox.message AS message
    ON
        decision.contact_id = message.contact_id
        AND decision.dormant_since = message.dormant_since
        AND decision.step = message.step
        AND message.channel = :channel
        AND message.as_of = decision.as_of
        AND decision.action = 'send'
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = decision.contact_id
    ) AS named
    ON TRUE
WHERE decision.as_of = :as_of
ORDER BY decision.contact_id;
