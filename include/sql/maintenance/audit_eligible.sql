-- Whose draw is not what the decisions say: the first since a salt began that would have sent
-- something, and of all but the control group the first for a step that has variants. Its own reading
-- of the rule of outcome/add_eligible, on purpose. What became of them is not compared: it is counted
-- when their window ends, and a week more, and not what came after.
-- Grain: contact with a draw that differs. Reads: outcome.eligible, outcome.experiment, cohort.day,
-- cohort.decision, outbox.message. Parameters: after_contact_id, through_contact_id, share, seed.
-- Writes nothing.
WITH counted AS (
    SELECT
        min(experiment.began_on) AS from_on,
        max(experiment.counted_on) AS through_on
    FROM outcome.experiment AS experiment
    WHERE experiment.salt IS NOT NULL
),

told AS (
    SELECT
        decision.contact_id,
        decision.dormant_since,
        decision.as_of,
        decision.step,
        decision.variant,
        day.control_salt AS salt,
        day.control_share,
        day.variants,
        decision.reason = 'control' AS is_control,
        day.stopped_by IS NULL
        AND (
            decision.action = 'send'
            OR decision.reason IN ('control', 'stock', 'template', 'approval')
            OR (decision.reason = 'unread_reply' AND message.contact_id IS NOT NULL)
        ) AS is_draw,
        -- Into a group, by whatever word.
        decision.action = 'send' OR decision.reason = 'control' AS is_grouped
    FROM counted
    INNER JOIN cohort.day AS day ON counted.through_on >= day.as_of
    INNER JOIN cohort.decision AS decision ON day.as_of = decision.as_of
    LEFT JOIN outbox.message AS message
        ON
            decision.contact_id = message.contact_id
            AND decision.dormant_since = message.dormant_since
            AND decision.step = message.step
            AND decision.as_of = message.as_of
    WHERE
        decision.contact_id > :after_contact_id
        AND decision.contact_id <= :through_contact_id
        AND (hashint8extended(decision.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

-- By which word contacts were first put into a group in each quiet spell, and the first kept at all.
grouped AS (
    SELECT
        told.contact_id,
        told.dormant_since,
        told.as_of,
        told.salt
    FROM told
    WHERE told.is_grouped
),

drawn AS (
    SELECT
        told.contact_id,
        told.salt,
        '' AS draw,
        told.as_of,
        told.dormant_since,
        CASE WHEN told.is_control THEN 'control' ELSE 'treatment' END AS arm,
        told.step,
        told.variant,
        told.control_share
    FROM told
    WHERE told.is_draw AND told.salt IS NOT NULL
    UNION ALL
    SELECT
        told.contact_id,
        told.salt,
        one.draw,
        told.as_of,
        told.dormant_since,
        'treatment',
        told.step,
        told.variant,
        one.control_share
    FROM told
    CROSS JOIN
        LATERAL jsonb_to_recordset(told.variants) AS one (
            draw text, step text, variant text, control_share double precision
        )
    WHERE
        told.is_draw
        AND NOT told.is_control
        AND one.step = told.step
        AND one.variant = told.variant
),

first_drawn AS (
    SELECT DISTINCT ON (drawn.contact_id, drawn.salt, drawn.draw)
        drawn.contact_id,
        drawn.salt,
        drawn.draw,
        drawn.as_of,
        drawn.dormant_since,
        drawn.arm,
        drawn.step,
        drawn.variant,
        drawn.control_share
    FROM drawn
    CROSS JOIN counted
    WHERE drawn.as_of >= counted.from_on
    ORDER BY drawn.contact_id, drawn.salt, drawn.draw, drawn.as_of
),

anew AS (
    SELECT first_drawn.*
    FROM first_drawn
    INNER JOIN outcome.experiment AS experiment
        ON first_drawn.salt = experiment.salt AND first_drawn.draw = experiment.draw
    LEFT JOIN grouped
        ON
            first_drawn.draw = ''
            AND first_drawn.contact_id = grouped.contact_id
            AND grouped.as_of < first_drawn.as_of
            AND (
                (
                    grouped.dormant_since = first_drawn.dormant_since
                    AND grouped.salt IS DISTINCT FROM first_drawn.salt
                )
                OR (
                    grouped.salt IS NULL
                    AND first_drawn.salt = (
                        SELECT day.control_salt
                        FROM cohort.day AS day
                        WHERE day.control_salt IS NOT NULL
                        ORDER BY day.as_of
                        LIMIT 1
                    )
                )
            )
    WHERE grouped.contact_id IS NULL
),

kept AS (
    SELECT eligible.*
    FROM outcome.eligible AS eligible
    WHERE
        eligible.contact_id > :after_contact_id
        AND eligible.contact_id <= :through_contact_id
        AND (hashint8extended(eligible.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

compared AS (
    SELECT
        coalesce(kept.contact_id, anew.contact_id) AS contact_id,
        array_remove(
            ARRAY[
                CASE WHEN kept.contact_id IS NULL THEN '(missing)' END,
                CASE WHEN anew.contact_id IS NULL THEN '(never drawn)' END,
                CASE WHEN kept.eligible_on <> anew.as_of THEN 'eligible_on' END,
                CASE WHEN kept.dormant_since <> anew.dormant_since THEN 'dormant_since' END,
                CASE WHEN CAST(kept.arm AS text) <> anew.arm THEN 'arm' END,
                CASE WHEN kept.step <> anew.step THEN 'step' END,
                CASE
                    WHEN
                        kept.contact_id IS NOT NULL
                        AND anew.contact_id IS NOT NULL
                        AND kept.variant IS DISTINCT FROM anew.variant
                        THEN 'variant'
                END,
                CASE WHEN kept.control_share <> anew.control_share THEN 'control_share' END
            ], NULL
        ) AS column_names
    FROM kept
    FULL JOIN anew
        ON
            kept.contact_id = anew.contact_id
            AND kept.salt = anew.salt
            AND kept.draw = anew.draw
)

SELECT
    compared.contact_id,
    array_agg(DISTINCT named.column_name ORDER BY named.column_name) AS column_names
FROM compared
CROSS JOIN LATERAL unnest(compared.column_names) AS named (column_name)
GROUP BY compared.contact_id
ORDER BY compared.contact_id;
