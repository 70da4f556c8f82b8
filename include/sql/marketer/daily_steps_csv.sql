-- purpose: the daily figures as they are kept, for a spreadsheet; is_open: they can still change
-- grain: day x step x arm; reads: outcome.daily_step, cohort.day; writes: nothing
-- parameters: attribution_days (null: not known)
-- twice: it only reads
SELECT
    daily.as_of,
    daily.step,
    daily.arm,
    daily.due,
    daily.sent,
    daily.delivered,
    daily.opened,
    daily.returned,
    daily.opted_out,
    daily.revenue,
    daily.cost,
    outcome.is_window_open(daily.as_of, cast(:attribution_days AS integer), latest.as_of) AS is_open
FROM outcome.daily_step AS daily
CROSS JOIN (SELECT max(day.as_of) AS as_of FROM cohort.day AS day) AS latest
ORDER BY daily.as_of, daily.step, daily.arm;
