-- What became of the decisions of some days, by step and arm.
--
-- Due are the contacts who were written to or held back as control: what the arms are made of.
-- A return counts within attribution_days after the decision, on the last step before it; revenue
-- is what the contact spent from the return until that window ends, less what they gave back in it,
-- and never less than nothing: what is given back may be from before. It is of the brand's currency;
-- the others stand apart, by currency.
--
-- Grain: as_of × step × arm. Reads: cohort.*, outbox.*, core.*. Writes: the temporary table
-- counted_day. Parameters: as_of, from_as_of, attribution_days, signals, currency (the brand's), at:
-- now; it is kept, so that later hits are known to be too late. Gone with the transaction.
DROP TABLE IF EXISTS counted_day;

CREATE TEMPORARY TABLE counted_day ON COMMIT DROP AS
WITH counted AS (
    SELECT
        decision.as_of,
        decision.step,
        decision.contact_id,
        decision.dormant_since,
        CAST(
            CASE WHEN decision.action = 'send' THEN 'treatment' ELSE 'control' END AS cohort.arm
        ) AS arm,
        lead(decision.as_of) OVER (
            PARTITION BY decision.contact_id, decision.dormant_since ORDER BY decision.as_of
        ) AS next_as_of
    FROM cohort.decision AS decision
    WHERE
        -- What was decided soon after ends the window of a decision.
        decision.as_of
        BETWEEN CAST(:from_as_of AS date)
        AND CAST(:as_of AS date) + CAST(:attribution_days AS integer)
        AND (decision.action = 'send' OR decision.reason = 'control')
),

-- What they did within the window of a decision, from their return on.
back AS (
    SELECT
        spent.contact_id,
        spent.as_of,
        min(spent.returned_on) AS returned_on,
        jsonb_object_agg(spent.currency, spent.revenue) FILTER (WHERE spent.revenue <> 0) AS revenue
    FROM (
        SELECT
            done.contact_id,
            done.as_of,
            done.currency,
            min(done.returned_on) AS returned_on,
            greatest(sum(done.amount), 0) AS revenue
        FROM (
            SELECT
                counted.contact_id,
                counted.as_of,
                coalesce(interaction.currency, '?') AS currency,
                interaction.occurred_on,
                interaction.amount,
                min(interaction.occurred_on) FILTER (WHERE interaction.kind <> 'refund') OVER (
                    PARTITION BY counted.contact_id, counted.as_of
                ) AS returned_on
            FROM counted
            INNER JOIN core.interaction AS interaction
                ON
                    counted.contact_id = interaction.contact_id
                    AND interaction.occurred_on > counted.as_of
                    AND interaction.occurred_on
                    <= least(
                        counted.as_of + CAST(:attribution_days AS integer),
                        coalesce(counted.next_as_of, 'infinity')
                    )
            WHERE
                counted.as_of <= :as_of
                -- No month beyond is looked at.
                AND interaction.occurred_on > CAST(:from_as_of AS date)
                AND interaction.occurred_on
                <= CAST(:as_of AS date) + CAST(:attribution_days AS integer)
                AND (
                    interaction.kind = ANY(CAST(:signals AS core.interaction_kind[]))
                    OR (interaction.kind = 'refund' AND interaction.is_settled IS NOT TRUE)
                )
        ) AS done
        WHERE done.occurred_on >= done.returned_on
        GROUP BY done.contact_id, done.as_of, done.currency
    ) AS spent
    GROUP BY spent.contact_id, spent.as_of
),

fared AS (
    SELECT
        counted.as_of,
        counted.step,
        counted.arm,
        outbox.went_out(message.accepted_at) AS is_sent,
        message.status = 'delivered' AS is_delivered,
        outbox.cost(message.price, message.currency, message.expected_price, :currency) AS cost,
        hits.is_opened,
        hits.last_at AS last_hit_at,
        EXISTS(
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = counted.contact_id
                AND suppression.reason = 'opted_out'
                AND suppression.since >= message.accepted_at
                AND suppression.since < coalesce(
                    (
                        SELECT min(later.accepted_at)
                        FROM outbox.message AS later
                        WHERE
                            later.contact_id = counted.contact_id
                            AND later.accepted_at > message.accepted_at
                    ), 'infinity'
                )
        ) AS is_opted_out,
        back.returned_on,
        back.revenue
    FROM counted
    LEFT JOIN outbox.message AS message
        ON
            counted.contact_id = message.contact_id
            AND counted.dormant_since = message.dormant_since
            AND counted.step = message.step
            AND counted.as_of = message.as_of
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(bool_or(hit.verdict = 'human'), FALSE) AS is_opened,
                max(hit.at) AS last_at
            FROM outbox.judged_hit AS hit
            WHERE
                hit.contact_id = counted.contact_id
                AND hit.message_id = message.message_id
        ) AS hits
    LEFT JOIN back ON counted.contact_id = back.contact_id AND counted.as_of = back.as_of
    WHERE counted.as_of <= :as_of
),

-- What each currency came to.
money AS (
    SELECT
        fared.as_of,
        fared.step,
        fared.arm,
        spent.currency,
        sum(CAST(spent.revenue AS numeric)) AS revenue
    FROM fared
    CROSS JOIN LATERAL jsonb_each_text(fared.revenue) AS spent (currency, revenue)
    GROUP BY fared.as_of, fared.step, fared.arm, spent.currency
),

earned AS (
    SELECT
        money.as_of,
        money.step,
        money.arm,
        sum(money.revenue) FILTER (WHERE money.currency = :currency) AS revenue,
        jsonb_object_agg(money.currency, money.revenue) FILTER (WHERE money.currency <> :currency)
            AS other_revenue
    FROM money
    GROUP BY money.as_of, money.step, money.arm
)

SELECT
    fared.as_of,
    fared.step,
    fared.arm,
    count(*) AS due,
    count(*) FILTER (WHERE fared.is_sent) AS sent,
    count(*) FILTER (WHERE fared.is_delivered) AS delivered,
    count(*) FILTER (WHERE fared.is_opened) AS opened,
    count(*) FILTER (WHERE fared.returned_on IS NOT NULL) AS returned,
    count(*) FILTER (WHERE fared.is_opted_out) AS opted_out,
    coalesce(min(earned.revenue), 0) AS revenue,
    coalesce((array_agg(earned.other_revenue))[1], '{}') AS other_revenue,
    coalesce(sum(fared.cost) FILTER (WHERE fared.is_sent), 0) AS cost,
    -- A link service's clock may be ahead.
    greatest(CAST(:at AS timestamptz), max(fared.last_hit_at)) AS counted_at
FROM fared
LEFT JOIN earned
    ON fared.as_of = earned.as_of AND fared.step = earned.step AND fared.arm = earned.arm
GROUP BY fared.as_of, fared.step, fared.arm;
