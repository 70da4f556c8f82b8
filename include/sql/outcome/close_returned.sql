-- Close the episodes whose contact came back, in either arm. What they spent is for
-- outcome/recount_revenue.
-- Grain: episode. Reads: cohort.episode, outbox.*, core.suppression. Writes: cohort.episode,
-- outcome.contact_outcome. Parameters: as_of, at, time_zone, currency.
-- Twice: a closed episode is not looked at again.
WITH closing AS (
    UPDATE cohort.episode AS episode
    SET closed_on = episode.returned_on, next_due_on = NULL, next_step = NULL
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NOT NULL
        AND episode.returned_on <= :as_of
    RETURNING episode.contact_id, episode.dormant_since, episode.arm, episode.returned_on
)

INSERT INTO outcome.contact_outcome (
    contact_id, dormant_since, arm, outcome, decided_on, steps_sent, first_open_at, returned_on,
    cost, closed_at, if_unopened
)
SELECT
    closing.contact_id,
    closing.dormant_since,
    closing.arm,
    stop.outcome,
    :as_of,
    sent.steps_sent,
    opened.first_open_at,
    closing.returned_on,
    sent.cost,
    greatest(CAST(:at AS timestamptz), opened.last_hit_at),
    stop.outcome
FROM closing
CROSS JOIN
    LATERAL (
        SELECT
            CAST(
                CASE
                    WHEN EXISTS (
                        SELECT 1
                        FROM core.suppression AS suppression
                        WHERE
                            suppression.contact_id = closing.contact_id
                            AND suppression.reason = 'opted_out'
                            AND suppression.lifted_at IS NULL
                            AND CAST(suppression.since AT TIME ZONE :time_zone AS date)
                            > closing.dormant_since
                    ) THEN 'opted_out'
                    ELSE 'returned'
                END AS outcome.outcome
            ) AS outcome
    ) AS stop
CROSS JOIN
    LATERAL (
        SELECT
            count(*) FILTER (WHERE message.accepted_at IS NOT NULL) AS steps_sent,
            coalesce(
                sum(outbox.cost(message.price, message.currency, message.expected_price, :currency))
                FILTER (WHERE message.accepted_at IS NOT NULL), 0
            ) AS cost
        FROM outbox.message AS message
        WHERE
            message.contact_id = closing.contact_id
            AND message.dormant_since = closing.dormant_since
    ) AS sent
CROSS JOIN
    LATERAL (
        SELECT
            min(hit.at) FILTER (WHERE hit.verdict = 'human') AS first_open_at,
            max(hit.at) AS last_hit_at
        FROM outbox.message AS message
        INNER JOIN outbox.judged_hit AS hit
            ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
        WHERE
            message.contact_id = closing.contact_id
            AND message.dormant_since = closing.dormant_since
    ) AS opened
ON CONFLICT (contact_id, dormant_since) DO NOTHING;
