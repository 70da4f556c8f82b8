-- Whom chance has put into a group: contacts whose first decision since a salt began would have sent
-- something. Later decisions say nothing: who is still there depends on what was sent before. Into a
-- variant of a step, likewise: all but the control group, by their first decision for that step.
--
-- A decision would have sent something if it did, if it held the contact back as control, or if only
-- later something stood in the way that could stand in the way of texts alone: the text could not be
-- made, was not queued, or was called off. A day that was stopped holds both groups, and is none.
-- Who was drawn before in the same quiet spell, by another word or one that was not kept, keeps that
-- group: it was not drawn by this one. The word of days from before it was kept may be the first known.
--
-- Grain: contact × salt × draw. Reads: cohort.decision, cohort.day, cohort.episode, core.*, outbox.message.
-- Writes: outcome.eligible; gone with the transaction: the temporary table newly_drawn.
-- Parameters: as_of: decisions are looked at from the latest day known of to this one; contact_ids:
-- of these alone, from the first day (NULL: of all). Twice: who is known stays.
DROP TABLE IF EXISTS newly_drawn;

CREATE TEMPORARY TABLE newly_drawn ON COMMIT DROP AS
WITH days AS (
    SELECT
        day.as_of,
        day.control_salt,
        day.control_share,
        day.variants
    FROM cohort.day AS day
    WHERE
        day.control_salt IS NOT NULL
        AND day.stopped_by IS NULL
        AND day.as_of <= :as_of
        AND (
            CAST(:contact_ids AS bigint[]) IS NOT NULL
            OR day.as_of >= coalesce(
                (SELECT max(known.eligible_on) FROM outcome.eligible AS known), '-infinity'
            )
        )
        AND day.as_of >= (
            SELECT min(experiment.began_on)
            FROM outcome.experiment AS experiment
            WHERE experiment.salt IS NOT NULL
        )
),

drawn AS (
    SELECT
        decision.contact_id,
        decision.dormant_since,
        decision.as_of,
        decision.step,
        decision.reason,
        decision.variant,
        days.control_salt,
        put.draw,
        put.control_share,
        row_number() OVER (
            PARTITION BY decision.contact_id, days.control_salt, put.draw ORDER BY decision.as_of
        ) AS place
    FROM days
    INNER JOIN cohort.decision AS decision
        ON
            days.as_of = decision.as_of
            AND coalesce(decision.contact_id = ANY(CAST(:contact_ids AS bigint[])), TRUE)
    CROSS JOIN
        LATERAL (
            SELECT
                '' AS draw,
                days.control_share
            UNION ALL
            SELECT
                one.draw,
                one.control_share
            FROM
                jsonb_to_recordset(days.variants) AS one (
                    draw text, step text, variant text, control_share double precision
                )
            WHERE
                one.step = decision.step
                AND one.variant = decision.variant
                AND decision.reason <> 'control'
        ) AS put
    WHERE
        decision.action = 'send'
        OR decision.reason IN ('control', 'stock', 'template', 'approval')
        OR (
            decision.reason = 'unread_reply'
            AND EXISTS (
                SELECT 1
                FROM outbox.message AS message
                WHERE
                    message.contact_id = decision.contact_id
                    AND message.dormant_since = decision.dormant_since
                    AND message.step = decision.step
                    AND message.as_of = decision.as_of
            )
        )
)

SELECT
    row_number() OVER () AS unit,
    drawn.contact_id,
    drawn.control_salt AS salt,
    drawn.draw,
    drawn.dormant_since,
    CAST(CASE WHEN drawn.reason = 'control' THEN 'control' ELSE 'treatment' END AS cohort.arm) AS arm,
    drawn.as_of AS eligible_on,
    drawn.step,
    drawn.variant,
    drawn.control_share,
    experiment.currency,
    least(experiment.attribution_days, experiment.horizon_days) AS shorter_days
FROM drawn
INNER JOIN outcome.experiment AS experiment
    ON drawn.control_salt = experiment.salt AND drawn.draw = experiment.draw
WHERE
    drawn.place = 1
    AND NOT EXISTS (
        SELECT 1
        FROM outcome.eligible AS known
        WHERE
            known.contact_id = drawn.contact_id
            AND known.salt = drawn.control_salt
            AND known.draw = drawn.draw
    )
    AND NOT EXISTS (
        SELECT 1
        FROM cohort.decision AS earlier
        INNER JOIN cohort.day AS day ON earlier.as_of = day.as_of
        WHERE
            drawn.draw = ''
            AND earlier.contact_id = drawn.contact_id
            AND earlier.as_of < drawn.as_of
            AND (earlier.action = 'send' OR earlier.reason = 'control')
            AND (
                (
                    earlier.dormant_since = drawn.dormant_since
                    AND day.control_salt IS DISTINCT FROM drawn.control_salt
                )
                OR (
                    day.control_salt IS NULL
                    AND drawn.control_salt = (
                        SELECT first.control_salt
                        FROM cohort.day AS first
                        WHERE first.control_salt IS NOT NULL
                        ORDER BY first.as_of
                        LIMIT 1
                    )
                )
            )
    );

ANALYZE newly_drawn;

-- What they did in the year before. The bounds are of all of them, so that no older month is read.
WITH before AS (
    SELECT
        newly_drawn.unit,
        count(*) FILTER (WHERE interaction.kind = 'purchase') AS purchases,
        sum(interaction.amount) FILTER (
            WHERE
            interaction.currency = newly_drawn.currency
            AND interaction.is_settled IS NOT TRUE
        ) AS spent
    FROM newly_drawn
    INNER JOIN core.contact AS contact ON newly_drawn.contact_id = contact.contact_id
    INNER JOIN core.interaction AS interaction
        ON core.person(contact.contact_id, contact.merged_into) = interaction.contact_id
    WHERE
        interaction.occurred_on
        BETWEEN newly_drawn.eligible_on - 364 AND newly_drawn.eligible_on
        AND interaction.occurred_on >= (SELECT min(first.eligible_on) - 364 FROM newly_drawn AS first)
        AND interaction.occurred_on <= (SELECT max(last.eligible_on) FROM newly_drawn AS last)
    GROUP BY newly_drawn.unit
)

INSERT INTO outcome.eligible (
    contact_id, salt, draw, dormant_since, arm, eligible_on, step, variant, behaviour, control_share,
    lifecycle_class, language, purchases_before, spent_before, count_on
)
SELECT
    newly_drawn.contact_id,
    newly_drawn.salt,
    newly_drawn.draw,
    newly_drawn.dormant_since,
    newly_drawn.arm,
    newly_drawn.eligible_on,
    newly_drawn.step,
    newly_drawn.variant,
    episode.behaviour,
    newly_drawn.control_share,
    contact.lifecycle_class,
    contact.language,
    coalesce(before.purchases, 0),
    coalesce(before.spent, 0),
    newly_drawn.eligible_on + newly_drawn.shorter_days
FROM newly_drawn
INNER JOIN cohort.episode AS episode
    ON
        newly_drawn.contact_id = episode.contact_id
        AND newly_drawn.dormant_since = episode.dormant_since
INNER JOIN core.contact AS contact ON newly_drawn.contact_id = contact.contact_id
LEFT JOIN before ON newly_drawn.unit = before.unit
ON CONFLICT (contact_id, salt, draw) DO NOTHING;
