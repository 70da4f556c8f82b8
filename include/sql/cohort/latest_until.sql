-- The latest day through a day that is decided.
-- Grain: one row. Reads: cohort.day. Parameters: as_of. Writes nothing.
SELECT max(day.as_of) AS as_of FROM cohort.day AS day WHERE day.as_of <= :as_of;
