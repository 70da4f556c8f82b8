-- A contact's last date of some kinds: greatest() leaves out what is NULL.
CREATE OR REPLACE FUNCTION core.last_of(activity core.contact_activity, kinds core.interaction_kind[])
RETURNS date LANGUAGE sql IMMUTABLE AS $$
SELECT greatest(
    CASE WHEN 'purchase' = ANY(kinds) THEN activity.last_purchase_on END,
    CASE WHEN 'visit' = ANY(kinds) THEN activity.last_visit_on END,
    CASE WHEN 'loyalty' = ANY(kinds) THEN activity.last_loyalty_on END,
    CASE WHEN 'email_open' = ANY(kinds) THEN activity.last_email_open_on END,
    CASE WHEN 'email_click' = ANY(kinds) THEN activity.last_email_click_on END,
    CASE WHEN 'reply' = ANY(kinds) THEN activity.last_reply_on END,
    CASE WHEN 'login' = ANY(kinds) THEN activity.last_login_on END
)
$$;
