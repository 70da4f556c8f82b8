-- purpose: the daily figures as they are kept, for a spreadsheet
-- grain: day x step x arm; reads: outcome.daily_step; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    as_of,
    step,
    arm,
    due,
    sent,
    delivered,
    opened,
    returned,
    opted_out,
    revenue,
    nullif(cast(other_revenue AS text), '{}') AS other_revenue,
    cost
FROM outcome.daily_step
ORDER BY as_of, step, arm;
