-- Whether a decision uses its step up: it is never decided again in the episode.
CREATE OR REPLACE FUNCTION cohort.is_used_up(action cohort.action, reason cohort.reason)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT action IN ('send', 'skip') OR reason = 'control'
$$;
-- After how many days of quiet a rung of the ladder is reached, for a contact: the policy's days, bent
-- by the contact's pace, and one at least. NULL of no rung.
CREATE OR REPLACE FUNCTION cohort.rung_days(days double precision, pace double precision)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN days IS NOT NULL THEN greatest(1, CAST(round(days * pace) AS integer)) END
$$;
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
-- What followed the links of an episode's messages, and what it is taken for.
-- Grain: hit.
CREATE OR REPLACE VIEW outbox.hit_of_episode AS
SELECT
    message.contact_id,
    message.dormant_since,
    message.step,
    hit.message_id,
    hit.at,
    hit.verdict
FROM outbox.message AS message
INNER JOIN outbox.judged_hit AS hit
    ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id;
