-- Count what contacts spent on the day they came back, less what they gave back within
-- attribution_days of it, and never less than nothing. It is of the brand's currency; the others
-- stand apart, by currency. Of the episodes that were decided since a day: refunds come later.
-- Grain: contact × dormant_since. Reads: core.interaction. Writes: outcome.contact_outcome.
-- Parameters: since, attribution_days, currency (the brand's). Twice: the same figures.
WITH ended AS (
    SELECT
        contact_outcome.contact_id,
        contact_outcome.dormant_since,
        contact_outcome.returned_on
    FROM outcome.contact_outcome AS contact_outcome
    WHERE
        contact_outcome.decided_on >= CAST(:since AS date)
        AND contact_outcome.returned_on IS NOT NULL
),

money AS (
    SELECT
        ended.contact_id,
        ended.dormant_since,
        coalesce(interaction.currency, '?') AS currency,
        greatest(sum(interaction.amount), 0) AS revenue
    FROM ended
    INNER JOIN core.interaction AS interaction
        ON
            ended.contact_id = interaction.contact_id
            AND interaction.occurred_on >= ended.returned_on
            AND interaction.occurred_on
            <= CASE
                WHEN interaction.kind = 'refund'
                    THEN ended.returned_on + CAST(:attribution_days AS integer)
                ELSE ended.returned_on
            END
    WHERE interaction.amount IS NOT NULL AND interaction.is_settled IS NOT TRUE
    GROUP BY ended.contact_id, ended.dormant_since, coalesce(interaction.currency, '?')
),

earned AS (
    SELECT
        ended.contact_id,
        ended.dormant_since,
        coalesce(sum(money.revenue) FILTER (WHERE money.currency = :currency), 0) AS revenue,
        coalesce(
            jsonb_object_agg(money.currency, money.revenue)
            FILTER (WHERE money.currency <> :currency AND money.revenue <> 0), '{}'
        ) AS other_revenue
    FROM ended
    LEFT JOIN money
        ON ended.contact_id = money.contact_id AND ended.dormant_since = money.dormant_since
    GROUP BY ended.contact_id, ended.dormant_since
)

UPDATE outcome.contact_outcome AS contact_outcome
SET revenue = earned.revenue, other_revenue = earned.other_revenue
FROM earned
WHERE
    contact_outcome.contact_id = earned.contact_id
    AND contact_outcome.dormant_since = earned.dormant_since
    AND (contact_outcome.revenue, contact_outcome.other_revenue)
    IS DISTINCT FROM (earned.revenue, earned.other_revenue);
