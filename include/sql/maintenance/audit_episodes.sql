-- Which columns of open episodes are not what their decisions, the hits and the interactions say,
-- and what they should be. A hit counts as missed once it is a day older than the last decided day:
-- younger ones may have been written while it was decided. A return counts for contacts that no load
-- has touched since.
-- Grain: open episode that differs. Reads: cohort.episode, cohort.decision, core.contact,
-- core.contact_activity, core.interaction, core.card_id, core.contact_identity, outbox.message, outbox.judged_hit. Parameters:
-- after_contact_id, through_contact_id, share, seed, last_load_id, decided_at, ladder, clocks,
-- signals (where the clock is gone). Writes nothing.
WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

kept AS (
    SELECT
        episode.*,
        contact.merged_into IS NOT NULL AS is_merged,
        activity.updated_load_id <= :last_load_id AS is_followed
    FROM cohort.episode AS episode
    INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
    INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
    WHERE
        episode.closed_on IS NULL
        AND episode.contact_id > :after_contact_id
        AND episode.contact_id <= :through_contact_id
        AND (hashint8extended(episode.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

decided AS (
    SELECT
        decision.contact_id,
        decision.dormant_since,
        decision.as_of,
        decision.step,
        decision.inactive_days,
        decision.action,
        decision.is_final,
        decision.action = 'send' OR decision.reason = 'control' AS is_eligible,
        decision.action IN ('send', 'skip') OR decision.reason = 'control' AS is_done,
        decision.is_final AND decision.reason <> 'opened' AS is_counted_final
    FROM kept
    INNER JOIN cohort.decision AS decision
        ON kept.contact_id = decision.contact_id AND kept.dormant_since = decision.dormant_since
),

told AS (
    SELECT
        decided.contact_id,
        decided.dormant_since,
        array_agg(DISTINCT decided.step) FILTER (WHERE decided.is_done) AS done_steps,
        max(decided.inactive_days) FILTER (WHERE decided.is_done) AS done_days,
        min(decided.as_of) FILTER (WHERE decided.is_eligible) AS first_eligible_on,
        (array_agg(decided.step ORDER BY decided.as_of) FILTER (WHERE decided.is_eligible))[1]
            AS first_step,
        max(decided.as_of) FILTER (WHERE decided.action = 'send') AS last_sent_on,
        max(decided.as_of) FILTER (WHERE decided.is_counted_final) AS last_final_on,
        (array_agg(decided.step ORDER BY decided.as_of DESC))[1] AS last_step,
        (array_agg(decided.inactive_days ORDER BY decided.as_of DESC))[1] AS last_days,
        (array_agg(decided.action ORDER BY decided.as_of DESC))[1] AS last_action,
        NOT (array_agg(decided.is_final ORDER BY decided.as_of DESC))[1] AS is_waiting
    FROM decided
    GROUP BY decided.contact_id, decided.dormant_since
),

anew AS (
    SELECT
        kept.contact_id,
        kept.dormant_since,
        coalesce(told.done_steps, '{}') AS done_steps,
        coalesce(told.done_days, 0) AS done_days,
        coalesce(done.position, 0) AS done_position,
        told.first_eligible_on,
        told.first_step,
        told.last_sent_on,
        -- The episode of a contact that turned out to be another is over.
        coalesce(
            told.last_final_on, CASE WHEN kept.is_merged THEN kept.opened_on END
        ) AS last_final_on,
        told.last_step,
        told.last_days,
        told.last_action,
        coalesce(told.is_waiting, FALSE) AS is_waiting,
        coalesce(
            opened.first_at <= CAST(:decided_at AS timestamptz) - interval '1 day'
            OR (opened.first_at IS NOT NULL AND kept.is_opened), FALSE
        ) AS is_opened,
        CASE WHEN kept.is_followed THEN back.returned_on ELSE kept.returned_on END AS returned_on
    FROM kept
    LEFT JOIN told
        ON kept.contact_id = told.contact_id AND kept.dormant_since = told.dormant_since
    LEFT JOIN
        jsonb_to_recordset(CAST(:clocks AS jsonb)) AS clock (
            behaviour text, signals core.interaction_kind[]
        )
        ON kept.behaviour = clock.behaviour
    CROSS JOIN
        LATERAL (
            SELECT
                max(
                    coalesce(
                        this.position,
                        -- Of a step that the policy has taken away, what its days had passed.
                        (
                            SELECT max(over.position)
                            FROM rung AS over
                            WHERE
                                over.behaviour = kept.behaviour
                                AND round(over.days * kept.pace) <= decided.inactive_days
                        )
                    )
                ) AS position
            FROM decided
            LEFT JOIN rung AS this
                ON kept.behaviour = this.behaviour AND decided.step = this.step
            WHERE
                decided.contact_id = kept.contact_id
                AND decided.dormant_since = kept.dormant_since
                AND decided.is_done
        ) AS done
    CROSS JOIN
        LATERAL (
            SELECT min(hit.at) AS first_at
            FROM outbox.message AS message
            INNER JOIN outbox.judged_hit AS hit
                ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
            WHERE
                message.contact_id = kept.contact_id
                AND message.dormant_since = kept.dormant_since
                AND hit.verdict = 'human'
        ) AS opened
    CROSS JOIN
        LATERAL (
            SELECT min(interaction.occurred_on) AS returned_on
            FROM (
                SELECT kept.contact_id
                UNION ALL
                SELECT held.contact_id
                FROM core.contact_identity AS card
                INNER JOIN core.card_id AS named
                    ON
                        card.source = named.source
                        AND card.source_contact_id = named.source_contact_id
                INNER JOIN core.contact_identity AS held
                    ON named.id_source = held.source AND named.id = held.source_contact_id
                WHERE card.contact_id = kept.contact_id AND named.hold = 'whole'
            ) AS lived
            INNER JOIN core.interaction AS interaction ON lived.contact_id = interaction.contact_id
            WHERE
                interaction.occurred_on > kept.dormant_since
                AND interaction.kind
                = ANY(coalesce(clock.signals, CAST(:signals AS core.interaction_kind[])))
        ) AS back
),

compared AS (
    SELECT
        anew.*,
        array_remove(
            ARRAY[
                CASE
                    WHEN NOT (kept.done_steps @> anew.done_steps AND kept.done_steps <@ anew.done_steps)
                        THEN 'done_steps'
                END,
                CASE WHEN kept.done_days <> anew.done_days THEN 'done_days' END,
                CASE WHEN kept.done_position <> anew.done_position THEN 'done_position' END,
                CASE
                    WHEN kept.first_eligible_on IS DISTINCT FROM anew.first_eligible_on
                        THEN 'first_eligible_on'
                END,
                CASE WHEN kept.first_step IS DISTINCT FROM anew.first_step THEN 'first_step' END,
                CASE
                    WHEN kept.last_sent_on IS DISTINCT FROM anew.last_sent_on THEN 'last_sent_on'
                END,
                CASE
                    WHEN kept.last_final_on IS DISTINCT FROM anew.last_final_on THEN 'last_final_on'
                END,
                CASE WHEN kept.last_step IS DISTINCT FROM anew.last_step THEN 'last_step' END,
                CASE WHEN kept.last_days IS DISTINCT FROM anew.last_days THEN 'last_days' END,
                CASE WHEN kept.last_action IS DISTINCT FROM anew.last_action THEN 'last_action' END,
                CASE WHEN kept.is_waiting <> anew.is_waiting THEN 'is_waiting' END,
                CASE WHEN kept.is_opened <> anew.is_opened THEN 'is_opened' END,
                CASE WHEN kept.returned_on IS DISTINCT FROM anew.returned_on THEN 'returned_on' END
            ], NULL
        ) AS column_names
    FROM anew
    INNER JOIN kept
        ON anew.contact_id = kept.contact_id AND anew.dormant_since = kept.dormant_since
)

SELECT
    compared.contact_id,
    compared.column_names,
    to_jsonb(compared) AS anew
FROM compared
WHERE cardinality(compared.column_names) > 0
ORDER BY compared.contact_id, compared.dormant_since;
