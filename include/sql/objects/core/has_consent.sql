-- Whether somebody has agreed: their latest grant is later than every stop that counts against it. Of
-- the same moment, the stop wins.
CREATE OR REPLACE FUNCTION core.has_consent(granted_at timestamptz, stopped_at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(granted_at > stopped_at, granted_at IS NOT NULL)
$$;
