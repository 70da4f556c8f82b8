-- Close the episodes whose ladder is over: close_after_days after the last send or final hold, once
-- no step can follow; for an opener, after the last send. Where several outcomes fit, the first of
-- outcome.outcome is written (returned is close_returned's).
-- Given up is who got unsubscribe_after_texts and clicked none, where no link was fetched of which it
-- is too little to tell by whom.
-- An episode whose dormancy never was (a correction moved the last signal, or the day on which the
-- contact became visible), or whose contact asked to be forgotten, is closed at once; that nothing
-- was opened in it says nothing then. Returns the contacts: who is through with one clock may be
-- quiet by another.
-- Grain: episode. Reads: cohort.episode, outbox.*, core.suppression. Writes: cohort.episode,
-- cohort.dormancy, outcome.contact_outcome, core.contact, core.suppression.
-- Parameters: as_of, after_load_id, close_after_days, unsubscribe_after_texts, channel, at,
-- time_zone, currency.
-- Twice: a closed episode is not looked at again.
DROP TABLE IF EXISTS closing;

CREATE TEMPORARY TABLE closing ON COMMIT DROP AS
SELECT DISTINCT ON (over.contact_id, over.dormant_since)
    over.contact_id,
    over.dormant_since,
    over.arm,
    over.closed_on,
    sent.steps_sent,
    sent.cost,
    opened.first_open_at,
    -- A link service's clock may be ahead.
    greatest(CAST(:at AS timestamptz), opened.last_hit_at) AS closed_at,
    unopened.outcome AS if_unopened,
    outcome.by_hits(unopened.outcome, opened.first_open_at, opened.is_unsure) AS outcome
FROM (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        FALSE AS is_void,
        coalesce(episode.last_final_on, episode.opened_on)
        + CAST(:close_after_days AS integer) AS closed_on
    FROM cohort.episode AS episode
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NULL
        AND episode.next_due_on IS NULL
        AND (
            episode.last_final_on IS NULL
            OR episode.last_final_on <= CAST(:as_of AS date) - CAST(:close_after_days AS integer)
        )
    UNION ALL
    -- An opener is sent nothing more, so neither the ladder nor a later hold is waited for.
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        FALSE,
        episode.last_sent_on + CAST(:close_after_days AS integer)
    FROM cohort.episode AS episode
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NULL
        AND episode.is_opened
        AND episode.last_sent_on <= CAST(:as_of AS date) - CAST(:close_after_days AS integer)
        AND EXISTS (
            SELECT 1
            FROM outbox.message AS message
            INNER JOIN outbox.judged_hit AS hit
                ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
            WHERE
                message.contact_id = episode.contact_id
                AND message.dormant_since = episode.dormant_since
                AND hit.verdict = 'human'
                AND CAST(hit.at AT TIME ZONE :time_zone AS date) <= :as_of
        )
    UNION ALL
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        TRUE,
        CAST(:as_of AS date)
    FROM cohort.episode AS episode
    INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
    INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
    INNER JOIN cohort.dormancy AS dormancy ON episode.contact_id = dormancy.contact_id
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NULL
        AND activity.updated_load_id > :after_load_id
        AND (
            dormancy.dormant_since <> episode.dormant_since
            OR contact.status = 'erased'
        )
) AS over
CROSS JOIN
    LATERAL (
        SELECT
            count(*) FILTER (WHERE message.accepted_at IS NOT NULL) AS steps_sent,
            coalesce(
                sum(outbox.cost(message.price, message.currency, message.expected_price, :currency))
                FILTER (WHERE message.accepted_at IS NOT NULL), 0
            ) AS cost,
            count(*) FILTER (WHERE message.status = 'delivered') AS delivered
        FROM outbox.message AS message
        WHERE
            message.contact_id = over.contact_id
            AND message.dormant_since = over.dormant_since
    ) AS sent
CROSS JOIN
    LATERAL (
        SELECT
            min(hit.at) FILTER (WHERE hit.verdict = 'human') AS first_open_at,
            max(hit.at) AS last_hit_at,
            coalesce(bool_or(hit.verdict = 'unsure'), FALSE) AS is_unsure
        FROM outbox.message AS message
        INNER JOIN outbox.judged_hit AS hit
            ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
        WHERE
            message.contact_id = over.contact_id
            AND message.dormant_since = over.dormant_since
    ) AS opened
CROSS JOIN
    LATERAL (
        SELECT
            CAST(
                CASE
                    WHEN EXISTS (
                        SELECT 1
                        FROM core.suppression AS suppression
                        WHERE
                            suppression.contact_id = over.contact_id
                            AND suppression.reason = 'opted_out'
                            AND suppression.lifted_at IS NULL
                            AND CAST(suppression.since AT TIME ZONE :time_zone AS date)
                            > over.dormant_since
                    ) THEN 'opted_out'
                    WHEN over.arm = 'control' THEN 'control'
                    WHEN
                        sent.delivered >= CAST(:unsubscribe_after_texts AS integer)
                        AND NOT over.is_void
                        THEN 'unsubscribed'
                    ELSE 'unreachable'
                END AS outcome.outcome
            ) AS outcome
    ) AS unopened
WHERE over.closed_on <= :as_of
ORDER BY over.contact_id, over.dormant_since, over.closed_on, over.is_void;

UPDATE cohort.episode AS episode
SET closed_on = closing.closed_on, next_due_on = NULL, next_step = NULL
FROM closing
WHERE
    episode.contact_id = closing.contact_id
    AND episode.dormant_since = closing.dormant_since;

INSERT INTO outcome.contact_outcome (
    contact_id, dormant_since, arm, outcome, decided_on, steps_sent, first_open_at, cost, closed_at,
    if_unopened
)
SELECT
    closing.contact_id,
    closing.dormant_since,
    closing.arm,
    closing.outcome,
    :as_of,
    closing.steps_sent,
    closing.first_open_at,
    closing.cost,
    closing.closed_at,
    closing.if_unopened
FROM closing
ON CONFLICT (contact_id, dormant_since) DO NOTHING;

-- Nobody who never clicked is written to again, until a sign of life lifts it.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
SELECT
    closing.contact_id,
    NULL,
    :channel,
    'inactivity',
    'journey',
    :at
FROM closing
WHERE closing.outcome = 'unsubscribed'
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL DO NOTHING;

UPDATE core.contact AS contact
SET
    status = CAST(
        CASE WHEN closing.outcome = 'active' THEN 'active' ELSE 'unsubscribed' END
        AS core.contact_status
    )
FROM closing
WHERE
    closing.outcome IN ('active', 'unsubscribed', 'opted_out')
    AND contact.contact_id = closing.contact_id
    AND contact.status <> 'erased';

-- An opener is left in peace for the cooldown, and is quiet again only after it.
UPDATE cohort.dormancy AS dormancy
SET active_closed_on = closing.closed_on
FROM closing
WHERE closing.outcome = 'active' AND dormancy.contact_id = closing.contact_id;

SELECT closing.contact_id FROM closing;
