-- How many contacts the journey knows; counted when the ladder is new, and carried on by the day after.
-- Grain: one row. Reads: cohort.dormancy. No parameters. Writes nothing.
SELECT count(*) AS contacts FROM cohort.dormancy;
