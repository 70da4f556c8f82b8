-- Bare: an evening of the effect, for one salt and a policy without any option: who was drawn on the
-- day, what became of those whose windows end (and for a week more), and how many came back.
-- Grain: estimand × arm. Reads: cohort.decision, core.interaction, outbox.message. Writes:
-- outcome.eligible. Parameters: as_of, salt, share, attribution_days, horizon_days, again_days, signals,
-- currency. Twice: the same.
INSERT INTO outcome.eligible (
    contact_id, salt, dormant_since, arm, eligible_on, step, behaviour, control_share,
    purchases_before, spent_before
)
SELECT
    decision.contact_id,
    :salt,
    decision.dormant_since,
    CAST(CASE WHEN decision.reason = 'control' THEN 'control' ELSE 'treatment' END AS cohort.arm),
    decision.as_of,
    decision.step,
    'any',
    :share,
    coalesce(before.purchases, 0),
    coalesce(before.spent, 0)
FROM cohort.decision AS decision
LEFT JOIN (
    SELECT
        interaction.contact_id,
        count(*) FILTER (WHERE interaction.kind = 'purchase') AS purchases,
        sum(interaction.amount) FILTER (WHERE interaction.currency = :currency) AS spent
    FROM core.interaction AS interaction
    WHERE
        interaction.occurred_on BETWEEN CAST(:as_of AS date) - 364 AND :as_of
        AND interaction.contact_id IN (
            SELECT due.contact_id FROM cohort.decision AS due WHERE due.as_of = :as_of
        )
    GROUP BY interaction.contact_id
) AS before
    ON decision.contact_id = before.contact_id
WHERE
    decision.as_of = :as_of
    AND (decision.action = 'send' OR decision.reason = 'control')
ON CONFLICT (contact_id, salt, draw) DO NOTHING;

UPDATE outcome.eligible AS eligible
SET
    returned_on = counted.returned_on,
    step_revenue = counted.step_revenue,
    ladder_revenue = counted.ladder_revenue,
    step_cost = counted.cost,
    ladder_cost = counted.cost,
    counted_on = :as_of
FROM (
    SELECT
        due.contact_id,
        min(done.occurred_on) AS returned_on,
        coalesce(
            sum(done.amount) FILTER (
                WHERE done.occurred_on <= due.eligible_on + CAST(:attribution_days AS integer)
            ), 0
        ) AS step_revenue,
        coalesce(sum(done.amount), 0) AS ladder_revenue,
        coalesce(
            (
                SELECT sum(message.expected_price)
                FROM outbox.message AS message
                WHERE message.contact_id = due.contact_id AND message.as_of >= due.eligible_on
            ), 0
        ) AS cost
    FROM outcome.eligible AS due
    LEFT JOIN core.interaction AS done
        ON
            due.contact_id = done.contact_id
            AND done.occurred_on > due.eligible_on
            AND done.occurred_on <= due.eligible_on + CAST(:horizon_days AS integer)
            AND done.occurred_on <= :as_of
            AND done.kind = ANY(CAST(:signals AS core.interaction_kind[]))
    WHERE
        due.eligible_on + CAST(:attribution_days AS integer)
        BETWEEN CAST(:as_of AS date) - CAST(:again_days AS integer) AND :as_of
        OR due.eligible_on + CAST(:horizon_days AS integer)
        BETWEEN CAST(:as_of AS date) - CAST(:again_days AS integer) AND :as_of
    GROUP BY due.contact_id, due.eligible_on
) AS counted
WHERE eligible.contact_id = counted.contact_id AND eligible.salt = :salt;

SELECT
    seen.estimand,
    eligible.arm,
    count(*) AS size,
    count(*) FILTER (WHERE eligible.returned_on <= eligible.eligible_on + seen.days) AS returned,
    avg(seen.revenue) AS revenue,
    var_samp(seen.revenue) AS variance
FROM outcome.eligible AS eligible
CROSS JOIN
    LATERAL (
        VALUES
        ('ladder', CAST(:horizon_days AS integer), eligible.ladder_revenue),
        ('first_step', CAST(:attribution_days AS integer), eligible.step_revenue)
    ) AS seen (estimand, days, revenue)
WHERE eligible.eligible_on + seen.days <= :as_of
GROUP BY seen.estimand, eligible.arm
ORDER BY seen.estimand, eligible.arm;
