-- Make the months that the load's interactions are of.
-- Grain: month: its partition, and how many of the interactions are of it. Reads: the temporary table
-- arrived. Writes: the partitions of core.interaction. No parameters. Twice: they are there.
SELECT
    core.add_month(CAST(month.first_day AS date)) AS partition,
    month.interactions
FROM (
    SELECT
        date_trunc('month', CAST(arrived.dated_on AS timestamp)) AS first_day,
        count(*) AS interactions
    FROM arrived
    GROUP BY first_day
    ORDER BY first_day
) AS month;
