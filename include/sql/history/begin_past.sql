-- What stands in for the tables that a day of the journey reads and writes, and what is to come into
-- them, day by day, as it came to pass: contacts as they became visible, what they did, said and
-- withdrew, stops and their ends.
-- A consent comes twice where it was withdrawn: as it was given, and as it was withdrawn. What the
-- journey itself made of silence (inactivity) is none of it.
-- Grain: as the tables. Reads: core.contact, core.contact_activity, core.interaction, core.consent,
-- core.suppression. Writes: temporary tables of the session. Parameters: to_day, begin_day,
-- time_zone. Once a session.
CREATE TEMPORARY TABLE core__contact (LIKE core.contact INCLUDING ALL);

CREATE TEMPORARY TABLE core__contact_activity (LIKE core.contact_activity INCLUDING ALL);

CREATE TEMPORARY TABLE core__consent (LIKE core.consent INCLUDING ALL EXCLUDING IDENTITY);

CREATE TEMPORARY TABLE core__suppression (LIKE core.suppression INCLUDING ALL);

CREATE TEMPORARY TABLE cohort__day (LIKE cohort.day INCLUDING ALL);

CREATE TEMPORARY TABLE cohort__dormancy (LIKE cohort.dormancy INCLUDING ALL);

CREATE TEMPORARY TABLE cohort__episode (LIKE cohort.episode INCLUDING ALL);

CREATE TEMPORARY TABLE cohort__decision (LIKE cohort.decision INCLUDING ALL);

CREATE TEMPORARY TABLE outbox__message (LIKE outbox.message INCLUDING ALL);

CREATE TEMPORARY TABLE outbox__hit (LIKE outbox.hit INCLUDING ALL);

CREATE TEMPORARY TABLE outbox__verdict (LIKE outbox.verdict INCLUDING ALL);

CREATE TEMPORARY TABLE outbox__reply (LIKE outbox.reply INCLUDING ALL);

CREATE TEMPORARY TABLE outcome__contact_outcome (LIKE outcome.contact_outcome INCLUDING ALL);

-- The day that it is.
CREATE TEMPORARY TABLE past_today (as_of date);

-- Since which day a contact has been quiet as said there.
CREATE TEMPORARY TABLE past_quiet (
    contact_id bigint,
    from_day date,
    behaviour text,
    dormant_since date,
    pace double precision
);

CREATE TEMPORARY TABLE past_cost (as_of date, step text, segments bigint, cost numeric);

CREATE TEMPORARY TABLE coming_contact AS
SELECT
    contact.contact_id,
    least(
        activity.first_interaction_on, coalesce(contact.created_on, contact.first_seen_on)
    ) AS on_day
FROM core.contact AS contact
INNER JOIN core.contact_activity AS activity ON contact.contact_id = activity.contact_id
WHERE contact.merged_into IS NULL AND contact.status <> 'erased';

CREATE INDEX coming_contact_by_day ON coming_contact (on_day);

CREATE TEMPORARY TABLE coming_deed AS
SELECT
    interaction.contact_id,
    interaction.kind,
    interaction.occurred_on AS on_day
FROM core.interaction AS interaction
WHERE interaction.occurred_on > :begin_day AND interaction.occurred_on <= :to_day;

CREATE INDEX coming_deed_by_day ON coming_deed (on_day);

CREATE TEMPORARY TABLE coming_consent AS
SELECT
    consent.consent_id,
    said.part,
    consent.contact_id,
    CASE WHEN said.part = 1 THEN consent.withdrawn_at END AS withdrawn_at,
    CAST(
        CASE WHEN said.part = 1 THEN consent.withdrawn_at ELSE consent.effective_at END
        AT TIME ZONE :time_zone AS date
    ) AS on_day
FROM core.consent AS consent
CROSS JOIN (VALUES (0), (1)) AS said (part)
WHERE
    (said.part = 0 AND consent.granted_at IS NOT NULL)
    OR (said.part = 1 AND consent.withdrawn_at IS NOT NULL);

CREATE INDEX coming_consent_by_day ON coming_consent (on_day);

CREATE TEMPORARY TABLE coming_suppression AS
SELECT
    suppression.contact_id,
    suppression.suppression_id,
    CAST(suppression.since AT TIME ZONE :time_zone AS date) AS on_day,
    CAST(suppression.lifted_at AT TIME ZONE :time_zone AS date) AS lifted_on
FROM core.suppression AS suppression
WHERE suppression.source <> 'journey' OR suppression.reason <> 'inactivity';

CREATE INDEX coming_suppression_by_day ON coming_suppression (on_day);

CREATE INDEX coming_suppression_by_end ON coming_suppression (lifted_on);

ANALYZE coming_contact, coming_deed, coming_consent, coming_suppression;
