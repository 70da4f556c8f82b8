-- The outcome of an episode, by the hits on its texts: who clicked is active; who may have (a link
-- was fetched, too little to tell by whom) is not given up. outcome.contact_outcome.if_unopened is
-- what it would be without any hit.
CREATE FUNCTION outcome.by_hits(
    if_unopened outcome.outcome, first_open_at timestamptz, is_unsure boolean
) RETURNS outcome.outcome LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN if_unopened IN ('opted_out', 'returned') THEN if_unopened
            WHEN first_open_at IS NOT NULL THEN 'active'
            WHEN if_unopened = 'unsubscribed' AND is_unsure THEN 'unreachable'
            ELSE if_unopened
        END
$$;

DROP FUNCTION outcome.by_open(outcome.outcome, timestamptz);

-- Whether what became of a day's texts can still change: its window of attribution_days ends after
-- the last day of which the sources are complete. Without knowing how long it is, it may be open.
CREATE FUNCTION outcome.is_window_open(as_of date, attribution_days integer, through_as_of date)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(as_of + attribution_days > through_as_of, TRUE)
$$;
