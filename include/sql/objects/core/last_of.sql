-- A contact's last date of some kinds. Reads nothing but the row that it is given.
CREATE OR REPLACE FUNCTION core.last_of(activity core.contact_activity, kinds core.interaction_kind[])
RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT core.last_on(
        kinds,
        activity.last_purchase_on,
        activity.last_visit_on,
        activity.last_loyalty_on,
        activity.last_email_open_on,
        activity.last_email_click_on,
        activity.last_reply_on,
        activity.last_login_on
    )
$$;
