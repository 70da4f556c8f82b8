-- Whether what holds a step back passes by waiting: the step is looked at again on the next day. Of any
-- other reason the decision is final: the next that is due is the next step, or the close.
CREATE OR REPLACE FUNCTION cohort.passes_by_waiting(reason cohort.reason)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        reason IN (
            'unread_reply',
            'gap',
            'daily_cap',
            'warm_up',
            'budget',
            'size',
            'unsubscribes',
            'approval',
            'stock',
            'template'
        )
$$;
