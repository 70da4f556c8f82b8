-- Close the episodes that are over, and write what became of them. Over is one whose contact came back,
-- in either arm, on or before as_of; whose ladder is over: close_after_days after the last send or final
-- hold, once no step can follow, or for an opener after the last send; and one whose dormancy never was
-- (a correction moved the last signal, or the day on which the contact became visible), or whose contact
-- asked to be forgotten: that nothing was opened in it says nothing then.
-- Where several outcomes fit, the first of outcome.outcome is written. Given up is who got
-- unsubscribe_after_texts and clicked none, where no link was fetched of which it is too little to tell
-- by whom. What those who came back spent is for outcome/recount_revenue.
-- Returns the contacts who did not come back: who is through with one clock may be quiet by another.
-- Grain: episode. Reads: cohort.episode, cohort.dormancy, outbox.message, outbox.hit_of_episode,
-- core.suppression, core.contact, core.contact_activity. Writes: cohort.episode, cohort.dormancy,
-- outcome.contact_outcome, core.contact, core.suppression, the temporary tables ending and closing.
-- Parameters: as_of, over_on (the day through which ladders may have ended), after_load_id,
-- close_after_days, unsubscribe_after_texts, channel, at, time_zone, currency.
-- Twice: a closed episode is not looked at again.
DROP TABLE IF EXISTS ending;

CREATE TEMPORARY TABLE ending ON COMMIT DROP AS
SELECT DISTINCT ON (candidate.contact_id, candidate.dormant_since)
    candidate.contact_id,
    candidate.dormant_since,
    candidate.arm,
    candidate.closed_on,
    candidate.returned_on,
    candidate.is_void
FROM (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        episode.returned_on AS closed_on,
        episode.returned_on,
        FALSE AS is_void
    FROM cohort.episode AS episode
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NOT NULL
        AND episode.returned_on <= :as_of
    UNION ALL
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        coalesce(episode.last_final_on, episode.opened_on) + CAST(:close_after_days AS integer),
        NULL,
        FALSE
    FROM cohort.episode AS episode
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NULL
        AND episode.next_due_on IS NULL
        AND (
            episode.last_final_on IS NULL
            OR episode.last_final_on <= CAST(:over_on AS date) - CAST(:close_after_days AS integer)
        )
    UNION ALL
    -- An opener is sent nothing more, so neither the ladder nor a later hold is waited for.
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        episode.last_sent_on + CAST(:close_after_days AS integer),
        NULL,
        FALSE
    FROM cohort.episode AS episode
    INNER JOIN outbox.hit_of_episode AS hit
        ON
            episode.contact_id = hit.contact_id
            AND episode.dormant_since = hit.dormant_since
            AND hit.verdict = 'human'
    WHERE
        episode.closed_on IS NULL
        AND episode.returned_on IS NULL
        AND episode.is_opened
        AND episode.last_sent_on <= CAST(:over_on AS date) - CAST(:close_after_days AS integer)
        AND CAST(hit.at AT TIME ZONE :time_zone AS date) <= :over_on
    UNION ALL
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        CAST(:over_on AS date),
        NULL,
        TRUE
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
) AS candidate
WHERE candidate.returned_on IS NOT NULL OR candidate.closed_on <= :over_on
ORDER BY candidate.contact_id, candidate.dormant_since, candidate.closed_on, candidate.is_void;

ANALYZE ending;

DROP TABLE IF EXISTS closing;

CREATE TEMPORARY TABLE closing ON COMMIT DROP AS
WITH sent AS (
    SELECT
        ending.contact_id,
        ending.dormant_since,
        count(*) FILTER (WHERE outbox.went_out(message.accepted_at)) AS steps_sent,
        sum(outbox.cost(message.price, message.currency, message.expected_price, :currency))
        FILTER (WHERE outbox.went_out(message.accepted_at)) AS cost,
        count(*) FILTER (WHERE message.status = 'delivered') AS delivered
    FROM ending
    INNER JOIN outbox.message AS message
        ON
            ending.contact_id = message.contact_id
            AND ending.dormant_since = message.dormant_since
    GROUP BY ending.contact_id, ending.dormant_since
),

opened AS (
    SELECT
        ending.contact_id,
        ending.dormant_since,
        min(hit.at) FILTER (WHERE hit.verdict = 'human') AS first_open_at,
        max(hit.at) AS last_hit_at,
        bool_or(hit.verdict = 'unsure') AS is_unsure
    FROM ending
    INNER JOIN outbox.hit_of_episode AS hit
        ON
            ending.contact_id = hit.contact_id
            AND ending.dormant_since = hit.dormant_since
    GROUP BY ending.contact_id, ending.dormant_since
),

stopped AS (
    SELECT
        ending.contact_id,
        ending.dormant_since,
        TRUE AS is_there
    FROM ending
    INNER JOIN core.suppression AS suppression
        ON
            ending.contact_id = suppression.contact_id
            AND suppression.reason = 'opted_out'
            AND suppression.lifted_at IS NULL
            AND CAST(suppression.since AT TIME ZONE :time_zone AS date) > ending.dormant_since
    GROUP BY ending.contact_id, ending.dormant_since
),

known AS (
    SELECT
        ending.contact_id,
        ending.dormant_since,
        ending.arm,
        ending.closed_on,
        ending.returned_on,
        coalesce(sent.steps_sent, 0) AS steps_sent,
        coalesce(sent.cost, 0) AS cost,
        opened.first_open_at,
        coalesce(opened.is_unsure, FALSE) AS is_unsure,
        -- A link service's clock may be ahead.
        greatest(CAST(:at AS timestamptz), opened.last_hit_at) AS closed_at,
        CAST(
            CASE
                WHEN stopped.is_there THEN 'opted_out'
                WHEN ending.returned_on IS NOT NULL THEN 'returned'
                WHEN ending.arm = 'control' THEN 'control'
                WHEN
                    sent.delivered >= CAST(:unsubscribe_after_texts AS integer)
                    AND NOT ending.is_void
                    THEN 'unsubscribed'
                ELSE 'unreachable'
            END AS outcome.outcome
        ) AS if_unopened
    FROM ending
    LEFT JOIN sent
        ON ending.contact_id = sent.contact_id AND ending.dormant_since = sent.dormant_since
    LEFT JOIN opened
        ON ending.contact_id = opened.contact_id AND ending.dormant_since = opened.dormant_since
    LEFT JOIN stopped
        ON ending.contact_id = stopped.contact_id AND ending.dormant_since = stopped.dormant_since
)

SELECT
    known.contact_id,
    known.dormant_since,
    known.arm,
    known.closed_on,
    known.returned_on,
    known.steps_sent,
    known.cost,
    known.first_open_at,
    known.closed_at,
    known.if_unopened,
    outcome.by_hits(known.if_unopened, known.first_open_at, known.is_unsure) AS outcome
FROM known;

UPDATE cohort.episode AS episode
SET closed_on = closing.closed_on, next_due_on = NULL, next_step = NULL
FROM closing
WHERE
    episode.contact_id = closing.contact_id
    AND episode.dormant_since = closing.dormant_since;

INSERT INTO outcome.contact_outcome (
    contact_id, dormant_since, arm, outcome, decided_on, steps_sent, first_open_at, returned_on,
    cost, closed_at, if_unopened
)
SELECT
    closing.contact_id,
    closing.dormant_since,
    closing.arm,
    closing.outcome,
    CASE
        WHEN closing.returned_on IS NOT NULL THEN CAST(:as_of AS date) ELSE CAST(:over_on AS date)
    END,
    closing.steps_sent,
    closing.first_open_at,
    closing.returned_on,
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
    closing.returned_on IS NULL
    AND closing.outcome IN ('active', 'unsubscribed', 'opted_out')
    AND contact.contact_id = closing.contact_id
    AND contact.status <> 'erased';

-- An opener is left in peace for the cooldown, and is quiet again only after it.
UPDATE cohort.dormancy AS dormancy
SET active_closed_on = closing.closed_on
FROM closing
WHERE closing.outcome = 'active' AND dormancy.contact_id = closing.contact_id;

SELECT closing.contact_id
FROM closing
WHERE closing.returned_on IS NULL;
