-- Whether something stands at an instant: it began then or before, and has not ended by then. What
-- has no end stands from its beginning on.
CREATE OR REPLACE FUNCTION core.stands_at(
    began_at timestamptz, ended_at timestamptz, instant timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT began_at <= instant AND coalesce(ended_at > instant, TRUE)
$$;
