-- Whether a request says of itself that it is a machine's. It is not believed against a press, but
-- against a touch.
CREATE OR REPLACE FUNCTION outbox.says_machine(rule outbox.rule)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(rule IN ('not_a_get', 'prefetch', 'no_agent', 'crawler'), FALSE)
$$;
