-- purpose: each step over all days, treatment beside control: days whose window is over, and days
--          whose window is still open, apart
-- grain: step x is_open; reads: outcome.daily_step, cohort.day; writes: nothing
-- parameters: attribution_days (null: not known)
-- twice: it only reads
SELECT
    daily.step,
    outcome.is_window_open(daily.as_of, cast(:attribution_days AS integer), latest.as_of) AS is_open,
    count(DISTINCT daily.as_of) AS days,
    max(daily.as_of) + cast(:attribution_days AS integer) AS ends_on,
    coalesce(sum(daily.due) FILTER (WHERE daily.arm = 'treatment'), 0) AS due,
    coalesce(sum(daily.sent) FILTER (WHERE daily.arm = 'treatment'), 0) AS sent,
    coalesce(sum(daily.delivered) FILTER (WHERE daily.arm = 'treatment'), 0) AS delivered,
    coalesce(sum(daily.opened) FILTER (WHERE daily.arm = 'treatment'), 0) AS opened,
    coalesce(sum(daily.returned) FILTER (WHERE daily.arm = 'treatment'), 0) AS returned,
    coalesce(sum(daily.opted_out) FILTER (WHERE daily.arm = 'treatment'), 0) AS opted_out,
    coalesce(sum(daily.revenue) FILTER (WHERE daily.arm = 'treatment'), 0) AS revenue,
    coalesce(sum(daily.cost) FILTER (WHERE daily.arm = 'treatment'), 0) AS cost,
    coalesce(sum(daily.due) FILTER (WHERE daily.arm = 'control'), 0) AS control_due,
    coalesce(sum(daily.returned) FILTER (WHERE daily.arm = 'control'), 0) AS control_returned,
    coalesce(sum(daily.revenue) FILTER (WHERE daily.arm = 'control'), 0) AS control_revenue
FROM outcome.daily_step AS daily
CROSS JOIN (SELECT max(day.as_of) AS as_of FROM cohort.day AS day) AS latest
GROUP BY daily.step, is_open
ORDER BY daily.step, is_open;
