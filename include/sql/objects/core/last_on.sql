-- The last of a contact's dates of some kinds: greatest() leaves out what is NULL.
CREATE OR REPLACE FUNCTION core.last_on(
    kinds core.interaction_kind[],
    last_purchase_on date,
    last_visit_on date,
    last_loyalty_on date,
    last_email_open_on date,
    last_email_click_on date,
    last_reply_on date,
    last_login_on date
) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(
        CASE WHEN 'purchase' = ANY(kinds) THEN last_purchase_on END,
        CASE WHEN 'visit' = ANY(kinds) THEN last_visit_on END,
        CASE WHEN 'loyalty' = ANY(kinds) THEN last_loyalty_on END,
        CASE WHEN 'email_open' = ANY(kinds) THEN last_email_open_on END,
        CASE WHEN 'email_click' = ANY(kinds) THEN last_email_click_on END,
        CASE WHEN 'reply' = ANY(kinds) THEN last_reply_on END,
        CASE WHEN 'login' = ANY(kinds) THEN last_login_on END
    )
$$;
