-- Whether a message was handed to a provider, or may have been, and was not refused: it counts as one
-- that the contact got.
CREATE OR REPLACE FUNCTION outbox.was_handed_over(status outbox.message_status)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT status IN ('sending', 'accepted', 'delivered', 'undelivered', 'expired', 'unknown')
$$;
