-- Make the months of some days.
-- Grain: month. Writes: the partitions of core.interaction. Parameters: first_day, last_day. Twice:
-- they are there.
SELECT core.add_month(CAST(month.first_day AS date)) AS partition
FROM
    generate_series(
        date_trunc('month', CAST(:first_day AS timestamp)),
        CAST(:last_day AS timestamp),
        interval '1 month'
    ) AS month (first_day);
