-- Whether a link leads to the brand's own page, which shows no hand, and not to one of ours.
CREATE OR REPLACE FUNCTION outbox.leads_away(target text, expires_at timestamptz, at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(target LIKE 'landing:https://%' AND at < expires_at, FALSE)
$$;
