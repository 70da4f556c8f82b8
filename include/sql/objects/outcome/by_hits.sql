-- The outcome of an episode, by the hits on its texts: who clicked is active; who may have (a link
-- was fetched, too little to tell by whom) is not given up. outcome.contact_outcome.if_unopened is
-- what it would be without any hit.
CREATE OR REPLACE FUNCTION outcome.by_hits(
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
