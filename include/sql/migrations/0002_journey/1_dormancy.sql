-- What a policy makes of a contact's dates moves from core to cohort: core keeps what happened.
ALTER TABLE core.contact_activity
ADD COLUMN purchase_gaps integer[] NOT NULL DEFAULT '{}';  -- days between purchases, shortest first

UPDATE core.contact_activity AS activity
SET purchase_gaps = anew.gaps
FROM (
    SELECT
        apart.contact_id,
        array_agg(apart.days ORDER BY apart.days) AS gaps
    FROM (
        SELECT
            bought.contact_id,
            bought.occurred_on - lag(bought.occurred_on) OVER (
                PARTITION BY bought.contact_id ORDER BY bought.occurred_on
            ) AS days
        FROM (
            SELECT DISTINCT
                interaction.contact_id,
                interaction.occurred_on
            FROM core.interaction AS interaction
            WHERE interaction.kind = 'purchase'
        ) AS bought
    ) AS apart
    WHERE apart.days IS NOT NULL
    GROUP BY apart.contact_id
) AS anew
WHERE activity.contact_id = anew.contact_id;

-- Since when each contact is quiet, by the policy's clock that is (or was) the first to reach its
-- first step. Made from core.contact_activity of the contacts that loads have touched.
CREATE TABLE cohort.dormancy (
    contact_id bigint PRIMARY KEY,
    behaviour text NOT NULL,           -- the clock: `any`, or one of the policy's behaviours
    dormant_since date NOT NULL,       -- the last of its signals, or when the contact became visible
    pace double precision NOT NULL,    -- what the ladder's days are multiplied by for this contact
    reaches_on date,                   -- the first step; null once its episode was opened
    active_closed_on date              -- when an episode last closed as `active`: starts the cooldown
);
-- The contacts that may reach the first step: the only ones that a day looks at.
CREATE INDEX dormancy_to_open ON cohort.dormancy (reaches_on);

-- The rest follows on the next day that is decided: no ladder is noted in core.derived_from yet.
INSERT INTO cohort.dormancy (
    contact_id, behaviour, dormant_since, pace, reaches_on, active_closed_on
)
SELECT
    activity.contact_id,
    'any',
    activity.quiet_since,
    1,
    CASE WHEN NOT activity.has_episode THEN activity.quiet_since END,
    activity.active_closed_on
FROM core.contact_activity AS activity;

ALTER TABLE core.contact_activity
DROP COLUMN quiet_since,
DROP COLUMN has_episode,
DROP COLUMN active_closed_on;

-- A contact's last date of some kinds: greatest() leaves out what is NULL.
CREATE FUNCTION core.last_of(activity core.contact_activity, kinds core.interaction_kind[])
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

-- What a contact did in some days, without reading all it ever did: a day's cost must not grow with
-- the history.
CREATE INDEX interaction_by_contact ON core.interaction (contact_id, occurred_on);
