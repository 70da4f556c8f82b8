-- Whether a decision uses its step up: it is never decided again in the episode.
CREATE OR REPLACE FUNCTION cohort.is_used_up(action cohort.action, reason cohort.reason)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT action IN ('send', 'skip') OR reason = 'control'
$$;
