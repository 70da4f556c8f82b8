-- Whether a message went out, or still may: all but what is certain not to be sent.
CREATE OR REPLACE FUNCTION outbox.may_go_out(status outbox.message_status)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT status NOT IN ('rejected', 'cancelled')
$$;
