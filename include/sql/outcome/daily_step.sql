-- Write what became of the decisions of some days (outcome/count_days).
-- Grain: as_of × step × arm. Reads: the temporary table counted_day. Writes: outcome.daily_step. No
-- parameters. Twice: the same figures.
INSERT INTO outcome.daily_step (
    as_of, step, arm, due, sent, delivered, opened, returned, opted_out, revenue,
    other_revenue, cost, counted_at
)
SELECT
    counted_day.as_of,
    counted_day.step,
    counted_day.arm,
    counted_day.due,
    counted_day.sent,
    counted_day.delivered,
    counted_day.opened,
    counted_day.returned,
    counted_day.opted_out,
    counted_day.revenue,
    counted_day.other_revenue,
    counted_day.cost,
    counted_day.counted_at
FROM counted_day
ON CONFLICT (as_of, step, arm) DO UPDATE
    SET
        due = excluded.due,
        sent = excluded.sent,
        delivered = excluded.delivered,
        opened = excluded.opened,
        returned = excluded.returned,
        opted_out = excluded.opted_out,
        revenue = excluded.revenue,
        other_revenue = excluded.other_revenue,
        cost = excluded.cost,
        counted_at = excluded.counted_at;
