-- What stands in for the tables that a day of the journey reads and writes, and what is to come into
-- them, day by day, as it came to pass: contacts as they became visible, what they did, said and
-- withdrew, stops and their ends.
-- is_known: what came later than it is dated comes with the load that brought it.
-- A consent comes twice where it was withdrawn: as it was given, and as it was withdrawn. What the
-- journey itself made of silence (inactivity) is none of it.
-- Grain: as the tables. Reads: core.contact, core.contact_activity, core.interaction, core.consent,
-- core.suppression, core.restraint, core.stop_tie, core.settlement, raw.load. Writes: temporary tables of the session.
-- Parameters: to_day, begin_day, time_zone, is_known. Once a session.
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

-- Who is held by whom, as it is known now: worked out once.
CREATE TEMPORARY TABLE core__restraint AS
SELECT
    restraint.contact_id,
    restraint.by_contact_id,
    restraint.hold
FROM core.restraint AS restraint;

CREATE INDEX core__restraint_by_contact ON core__restraint (contact_id);

CREATE INDEX core__restraint_by_other ON core__restraint (by_contact_id);

CREATE TEMPORARY TABLE core__stop_tie AS
SELECT
    tie.contact_id,
    tie.by_contact_id,
    tie.is_by_email
FROM core.stop_tie AS tie;

CREATE INDEX core__stop_tie_by_contact ON core__stop_tie (contact_id);

CREATE INDEX core__stop_tie_by_other ON core__stop_tie (by_contact_id);

-- The day that it is.
CREATE TEMPORARY TABLE past_today (as_of date, is_known boolean);

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
    CASE
        WHEN CAST(:is_known AS boolean) THEN coalesce(contact.created_on, contact.first_seen_on)
        ELSE came.first_on
    END AS visible_on,
    CASE
        WHEN CAST(:is_known AS boolean) THEN greatest(came.first_on, contact.first_seen_on)
        ELSE came.first_on
    END AS on_day
FROM core.contact AS contact
INNER JOIN
    (
        SELECT
            person.contact_id,
            least(
                activity.first_interaction_on, coalesce(person.created_on, person.first_seen_on)
            ) AS first_on
        FROM core.contact AS person
        INNER JOIN core.contact_activity AS activity ON person.contact_id = activity.contact_id
    ) AS came
    ON contact.contact_id = came.contact_id
WHERE contact.merged_into IS NULL AND contact.status <> 'erased';

CREATE INDEX coming_contact_by_day ON coming_contact (on_day);

-- Purchases that were taken back whole: they were some until then.
CREATE TEMPORARY TABLE taken_back AS
SELECT
    settlement.contact_id,
    settlement.source,
    settlement.source_event_id,
    settlement.taken_back_on
FROM (
    SELECT DISTINCT interaction.contact_id
    FROM core.interaction AS interaction
    WHERE interaction.is_settled
) AS returner
CROSS JOIN
    LATERAL (
        SELECT pair.*
        FROM core.settlement AS pair
        WHERE pair.contact_id = returner.contact_id
        ORDER BY pair.source_event_id
        OFFSET 0
    ) AS settlement
WHERE settlement.taken_back_on IS NOT NULL;

CREATE INDEX taken_back_by_day ON taken_back (taken_back_on);

CREATE INDEX taken_back_by_contact ON taken_back (contact_id);

ANALYZE taken_back;

CREATE TEMPORARY TABLE coming_deed AS
SELECT
    deed.contact_id,
    deed.kind,
    deed.occurred_on,
    deed.on_day
FROM (
    SELECT
        interaction.contact_id,
        CASE
            WHEN taken_back.contact_id IS NOT NULL
                THEN CAST('purchase' AS core.interaction_kind)
            ELSE interaction.kind
        END AS kind,
        interaction.occurred_on,
        CASE
            WHEN CAST(:is_known AS boolean) THEN greatest(interaction.occurred_on, load.as_of)
            ELSE interaction.occurred_on
        END AS on_day
    FROM core.interaction AS interaction
    LEFT JOIN raw.load AS load ON interaction.load_id = load.load_id
    LEFT JOIN taken_back
        ON
            interaction.contact_id = taken_back.contact_id
            AND interaction.source = taken_back.source
            AND interaction.source_event_id = taken_back.source_event_id
    WHERE interaction.occurred_on <= :to_day
) AS deed
WHERE deed.on_day > :begin_day AND deed.on_day <= :to_day;

CREATE INDEX coming_deed_by_day ON coming_deed (on_day);

CREATE TEMPORARY TABLE coming_consent AS
SELECT
    consent.consent_id,
    said.part,
    consent.contact_id,
    CASE WHEN said.part = 1 THEN consent.withdrawn_at END AS withdrawn_at,
    greatest(
        CAST(
            CASE WHEN said.part = 1 THEN consent.withdrawn_at ELSE consent.effective_at END
            AT TIME ZONE :time_zone AS date
        ),
        CASE WHEN CAST(:is_known AS boolean) THEN load.as_of END
    ) AS on_day
FROM core.consent AS consent
LEFT JOIN raw.load AS load ON consent.load_id = load.load_id
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

ANALYZE core__restraint, core__stop_tie, coming_contact, coming_deed, coming_consent, coming_suppression;
