-- One contact's story, in the order of time: the last signal before the dormancy, every decision,
-- message, receipt, hit and stop, the return, and the outcome. No personal data in it.
-- Grain: event of the contact. Reads: core.*, cohort.*, outbox.*, outcome.*.
-- Parameters: contact_id, time_zone. Writes nothing.
WITH story AS (
    SELECT
        interaction.occurred_on AS happened_on,
        1 AS place,
        CASE
            WHEN interaction.source = 'sandbox' THEN 'buys (an invented purchase)'
            WHEN interaction.kind = 'purchase' THEN 'buys'
            WHEN interaction.kind = 'loyalty' THEN 'shops with the loyalty card'
            ELSE CAST(interaction.kind AS text)
        END || coalesce(
            ' for ' || to_char(interaction.amount, 'FM999999990.00') || ' ' || interaction.currency,
            ''
        ) AS what
    FROM core.interaction AS interaction
    WHERE interaction.contact_id = :contact_id
    UNION ALL
    SELECT
        decision.as_of,
        2,
        'quiet for ' || decision.inactive_days || ' days: ' || decision.step || ', '
        || decision.action || ' (' || decision.reason || ')'
    FROM cohort.decision AS decision
    WHERE decision.contact_id = :contact_id
    UNION ALL
    SELECT
        CAST(message.accepted_at AT TIME ZONE :time_zone AS date),
        3,
        'texted at ' || to_char(message.accepted_at AT TIME ZONE :time_zone, 'HH24:MI') || ': '
        || message.body
    FROM outbox.message AS message
    WHERE message.contact_id = :contact_id AND message.accepted_at IS NOT NULL
    UNION ALL
    SELECT
        CAST(message.status_at AT TIME ZONE :time_zone AS date),
        4,
        CAST(message.status AS text) || coalesce(' (' || message.error_code || ')', '')
    FROM outbox.message AS message
    WHERE
        message.contact_id = :contact_id
        AND message.status IN ('delivered', 'undelivered', 'expired', 'rejected', 'cancelled')
    UNION ALL
    SELECT
        CAST(hit.at AT TIME ZONE :time_zone AS date),
        5,
        CASE
            WHEN hit.verdict = 'machine' THEN 'a machine fetches the link'
            WHEN hit.kind = 'press' THEN 'presses a button on the page'
            ELSE 'opens the link'
        END
    FROM outbox.judged_hit AS hit
    WHERE hit.contact_id = :contact_id
    UNION ALL
    SELECT
        CAST(suppression.since AT TIME ZONE :time_zone AS date),
        6,
        'suppressed: ' || suppression.reason
    FROM core.suppression AS suppression
    WHERE suppression.contact_id = :contact_id
    UNION ALL
    SELECT
        coalesce(contact_outcome.returned_on, contact_outcome.decided_on),
        7,
        'outcome: ' || contact_outcome.outcome
    FROM outcome.contact_outcome AS contact_outcome
    WHERE contact_outcome.contact_id = :contact_id
),

-- Of what they did before, the last thing is enough: it is when they went quiet.
quiet AS (
    SELECT min(episode.dormant_since) AS first_on
    FROM cohort.episode AS episode
    WHERE episode.contact_id = :contact_id
)

SELECT
    story.happened_on,
    story.what
FROM story
CROSS JOIN quiet
WHERE story.place > 1 OR story.happened_on >= quiet.first_on
ORDER BY story.happened_on, story.place, story.what;
