-- Whether what became of a day's texts can still change: its window of attribution_days ends after
-- the last day of which the sources are complete. Without knowing how long it is, it may be open.
CREATE OR REPLACE FUNCTION outcome.is_window_open(as_of date, attribution_days integer, through_as_of date)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(as_of + attribution_days > through_as_of, TRUE)
$$;
