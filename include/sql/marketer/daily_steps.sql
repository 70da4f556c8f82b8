-- purpose: each step of a page of days, latest day first, treatment beside control
-- grain: day x step; reads: outcome.daily_step (by its key), cohort.day; writes: nothing
-- parameters: before (date: only earlier days, null: from the latest); day_limit; attribution_days
--             (null: not known)
-- twice: it only reads
WITH days AS (
    SELECT DISTINCT as_of
    FROM outcome.daily_step
    WHERE cast(:before AS date) IS NULL OR as_of < cast(:before AS date)
    ORDER BY as_of DESC
    LIMIT cast(:day_limit AS bigint)
)

SELECT
    daily.as_of,
    daily.step,
    outcome.is_window_open(daily.as_of, cast(:attribution_days AS integer), latest.as_of) AS is_open,
    daily.as_of + cast(:attribution_days AS integer) AS ends_on,
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
FROM days
INNER JOIN outcome.daily_step AS daily ON days.as_of = daily.as_of
CROSS JOIN (SELECT max(day.as_of) AS as_of FROM cohort.day AS day) AS latest
GROUP BY daily.as_of, daily.step, latest.as_of
ORDER BY daily.as_of DESC, daily.step ASC;
