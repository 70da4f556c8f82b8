-- purpose: each step over all days, treatment beside control
-- grain: step; reads: outcome.daily_step; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    step,
    coalesce(sum(due) FILTER (WHERE arm = 'treatment'), 0) AS due,
    coalesce(sum(sent) FILTER (WHERE arm = 'treatment'), 0) AS sent,
    coalesce(sum(delivered) FILTER (WHERE arm = 'treatment'), 0) AS delivered,
    coalesce(sum(opened) FILTER (WHERE arm = 'treatment'), 0) AS opened,
    coalesce(sum(returned) FILTER (WHERE arm = 'treatment'), 0) AS returned,
    coalesce(sum(opted_out) FILTER (WHERE arm = 'treatment'), 0) AS opted_out,
    coalesce(sum(revenue) FILTER (WHERE arm = 'treatment'), 0) AS revenue,
    coalesce(sum(cost) FILTER (WHERE arm = 'treatment'), 0) AS cost,
    coalesce(sum(due) FILTER (WHERE arm = 'control'), 0) AS control_due,
    coalesce(sum(returned) FILTER (WHERE arm = 'control'), 0) AS control_returned,
    coalesce(sum(revenue) FILTER (WHERE arm = 'control'), 0) AS control_revenue
FROM outcome.daily_step
GROUP BY step
ORDER BY step;
