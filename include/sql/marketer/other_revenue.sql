-- purpose: what was spent in other currencies than the brand's, all days and steps together
-- grain: currency; reads: outcome.daily_step; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    spent.currency,
    coalesce(sum(CAST(spent.amount AS numeric)) FILTER (WHERE daily.arm = 'treatment'), 0) AS revenue,
    coalesce(sum(CAST(spent.amount AS numeric)) FILTER (WHERE daily.arm = 'control'), 0)
        AS control_revenue
FROM outcome.daily_step AS daily
CROSS JOIN LATERAL jsonb_each_text(daily.other_revenue) AS spent (currency, amount)
GROUP BY spent.currency
ORDER BY spent.currency;
