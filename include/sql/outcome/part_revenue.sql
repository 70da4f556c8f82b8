-- Take apart, by currency, what days were counted to before currencies were told apart. All else that
-- they were counted to stays, and so do days of one currency.
-- Grain: as_of × step × arm. Reads: the temporary table counted_day. Writes: outcome.daily_step. No
-- parameters. Twice: the same figures.
UPDATE outcome.daily_step AS known
SET revenue = counted_day.revenue, other_revenue = counted_day.other_revenue
FROM counted_day
WHERE
    known.as_of = counted_day.as_of
    AND known.step = counted_day.step
    AND known.arm = counted_day.arm
    AND counted_day.other_revenue <> '{}'
    AND (known.revenue, known.other_revenue)
    IS DISTINCT FROM (counted_day.revenue, counted_day.other_revenue);
