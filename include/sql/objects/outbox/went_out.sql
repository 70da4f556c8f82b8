-- Whether a message was taken by its provider: it counts as sent, and costs.
CREATE OR REPLACE FUNCTION outbox.went_out(accepted_at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT accepted_at IS NOT NULL
$$;
