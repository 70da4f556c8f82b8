-- Whose episodes are due, for which step, and all that may stand in the way: for cohort/decide.
--
-- The step is the highest one whose days are reached and that is not done yet; in order, the lowest
-- that is not behind. A person is a contact with those that were merged into it, and whoever has its
-- number, in every spelling. What is said of a number alone holds whoever has it now, and nobody who
-- had it.
--
-- Everything is asked once for all who are due, and grouped: by contact, or by number, as thousands may
-- have one number.
--
-- Grain: episode due on as_of. Reads: cohort.episode, cohort.decision, core.*, outbox.message,
-- outbox.judged_hit, outbox.unread_reply. Writes: the temporary tables due, number, earlier, texted,
-- agreed, held_contact, crowd, held_number and drawn_before (each is analyzed before it is read, as no
-- statistics tell how many are due). Parameters: as_of, at (the last instant of as_of in the brand's
-- zone), ladder, is_in_order, purpose, channel, country (of contacts without one), consent_clocks,
-- most_holders (customers of one source who may have one number), caps_order, control_salt, variants
-- (how those of steps are drawn; NULL: no step has any). Twice: the same rows.
DROP TABLE IF EXISTS due;

CREATE TEMPORARY TABLE due ON COMMIT DROP AS
WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

reached AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        CASE
            WHEN CAST(:is_in_order AS boolean) THEN min(rung.position) ELSE max(rung.position)
        END AS position
    FROM cohort.episode AS episode
    INNER JOIN rung
        ON
            episode.behaviour = rung.behaviour
            AND cohort.rung_days(rung.days, episode.pace)
            <= CAST(:as_of AS date) - episode.dormant_since
            AND rung.position > episode.done_position
            AND (NOT CAST(:is_in_order AS boolean) OR rung.position > episode.last_position)
    WHERE
        episode.closed_on IS NULL
        AND episode.next_due_on <= :as_of
        AND episode.returned_on IS NULL
    GROUP BY episode.contact_id, episode.dormant_since
)

SELECT
    episode.contact_id,
    episode.dormant_since,
    episode.arm,
    CAST(:as_of AS date) - episode.dormant_since AS inactive_days,
    rung.step,
    rung.position,
    episode.last_final_on,
    contact.phone_hash,
    contact.phone_e164,
    contact.phone_kind,
    contact.first_source,
    contact.first_source_contact_id,
    coalesce(contact.country, :country) AS country,
    activity.last_signal_on
FROM reached
INNER JOIN cohort.episode AS episode
    ON
        reached.contact_id = episode.contact_id
        AND reached.dormant_since = episode.dormant_since
INNER JOIN rung ON episode.behaviour = rung.behaviour AND reached.position = rung.position
INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
WHERE contact.merged_into IS NULL AND contact.status <> 'erased';

ANALYZE due;

-- The numbers of those who are due, each with every hash that it is known by.
DROP TABLE IF EXISTS number;

CREATE TEMPORARY TABLE number ON COMMIT DROP AS
SELECT
    due.phone_hash,
    due.phone_hash AS known_hash
FROM due
WHERE due.phone_hash IS NOT NULL
UNION
SELECT
    due.phone_hash,
    alias.alias_hash
FROM due
INNER JOIN core.phone_alias AS alias ON due.phone_hash = alias.phone_hash;

ANALYZE number;

DROP TABLE IF EXISTS earlier;

-- Messages of the episode that were (or may have been) handed over, and those of them opened.
CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS
WITH opened AS (
    SELECT
        hit.contact_id,
        hit.message_id
    FROM due
    INNER JOIN outbox.judged_hit AS hit ON due.contact_id = hit.contact_id
    WHERE hit.verdict = 'human' AND hit.at <= :at
    GROUP BY hit.contact_id, hit.message_id
)

SELECT
    due.contact_id,
    count(*) AS prior_sends,
    count(opened.message_id) AS prior_opens
FROM due
INNER JOIN outbox.message AS message
    ON due.contact_id = message.contact_id AND due.dormant_since = message.dormant_since
LEFT JOIN opened
    ON message.contact_id = opened.contact_id AND message.message_id = opened.message_id
WHERE outbox.was_handed_over(message.status)
GROUP BY due.contact_id;

ANALYZE earlier;

DROP TABLE IF EXISTS texted;

-- When the person was last texted, and last with this step.
CREATE TEMPORARY TABLE texted ON COMMIT DROP AS
SELECT
    theirs.contact_id,
    max(theirs.as_of) AS last_on,
    max(theirs.as_of) FILTER (WHERE theirs.step = theirs.due_step) AS same_step_on
FROM (
    SELECT
        due.contact_id,
        due.step AS due_step,
        message.step,
        message.as_of
    FROM due
    INNER JOIN outbox.message AS message ON due.contact_id = message.contact_id
    WHERE outbox.may_go_out(message.status)
    UNION ALL
    SELECT
        due.contact_id,
        due.step,
        message.step,
        message.as_of
    FROM due
    INNER JOIN core.contact_identity AS identity ON due.contact_id = identity.contact_id
    INNER JOIN outbox.message AS message ON message.contact_id = identity.original_contact_id
    WHERE
        identity.original_contact_id <> identity.contact_id
        AND outbox.may_go_out(message.status)
    UNION ALL
    SELECT
        due.contact_id,
        due.step,
        sent.step,
        sent.as_of
    FROM due
    INNER JOIN (
        SELECT
            number.phone_hash,
            message.step,
            max(message.as_of) AS as_of
        FROM number
        INNER JOIN outbox.message AS message ON number.known_hash = message.phone_hash
        WHERE outbox.may_go_out(message.status)
        GROUP BY number.phone_hash, message.step
    ) AS sent
        ON due.phone_hash = sent.phone_hash
) AS theirs
GROUP BY theirs.contact_id;

ANALYZE texted;

DROP TABLE IF EXISTS agreed;

-- The latest grant and the latest withdrawal, whichever records they stand in, and after how many
-- days their country says that such a grant is too old.
CREATE TEMPORARY TABLE agreed ON COMMIT DROP AS
SELECT
    said.contact_id,
    said.granted_at,
    said.withdrawn_at,
    min(clock.after_days) AS after_days
FROM (
    SELECT
        due.contact_id,
        due.country,
        max(record.granted_at) AS granted_at,
        max(record.withdrawn_at) FILTER (WHERE record.withdrawn_at <= :at) AS withdrawn_at,
        (
            array_agg(
                record.basis
                ORDER BY record.granted_at DESC NULLS LAST, record.source ASC, record.record_key ASC
            )
        )[1] AS basis
    FROM due
    INNER JOIN core.consent_record AS record ON due.contact_id = record.contact_id
    WHERE
        record.channel = :channel
        AND record.purpose = :purpose
        AND record.effective_at <= :at
    GROUP BY due.contact_id, due.country
) AS said
LEFT JOIN
    jsonb_to_recordset(CAST(:consent_clocks AS jsonb)) AS clock (
        country text, basis text, after_days integer
    )
    ON
        said.country = clock.country
        AND (clock.basis IS NULL OR clock.basis = said.basis)
GROUP BY said.contact_id, said.granted_at, said.withdrawn_at;

ANALYZE agreed;

-- What stands against the contacts themselves: a stop elsewhere that may be theirs, which counts as a
-- withdrawal, or a suppression; and what their decisions of this episode say: since when the step was
-- only put off, and whether a text of it could not be made.
DROP TABLE IF EXISTS held_contact;

CREATE TEMPORARY TABLE held_contact ON COMMIT DROP AS
WITH fact AS (
    SELECT
        due.contact_id,
        elsewhere.stopped_at,
        FALSE AS is_suppressed,
        CAST(NULL AS date) AS waits_since,
        FALSE AS is_unwritable
    FROM due
    -- By contact: joined as a whole, the view would be worked out for everybody.
    CROSS JOIN
        LATERAL (
            -- FILTER, as in outbox/claim.
            SELECT
                max(stop.stopped_at) FILTER (
                    WHERE core.stands_at(stop.stopped_at, stop.ended_at, :at)
                ) AS stopped_at
            FROM core.stop_elsewhere AS stop
            WHERE
                stop.contact_id = due.contact_id
                AND NOT stop.is_by_number
                AND stop.channel = :channel
                AND coalesce(stop.purpose = :purpose, TRUE)
        ) AS elsewhere
    WHERE elsewhere.stopped_at IS NOT NULL
    UNION ALL
    SELECT
        due.contact_id,
        NULL,
        TRUE,
        NULL,
        FALSE
    FROM due
    INNER JOIN core.suppressed_person AS held ON due.contact_id = held.contact_id
    WHERE held.channel = :channel AND core.stands_at(held.since, NULL, :at)
    UNION ALL
    SELECT
        due.contact_id,
        NULL,
        FALSE,
        CASE
            WHEN
                CAST(:caps_order AS text) = 'waiting'
                AND NOT decision.is_final
                AND decision.as_of > coalesce(due.last_final_on, '-infinity')
                THEN decision.as_of
        END,
        decision.reason IN ('template', 'stock')
    FROM due
    INNER JOIN cohort.decision AS decision
        ON
            due.contact_id = decision.contact_id
            AND due.dormant_since = decision.dormant_since
)

SELECT
    fact.contact_id,
    max(fact.stopped_at) AS stopped_at,
    bool_or(fact.is_suppressed) AS is_suppressed,
    min(fact.waits_since) AS waits_since,
    bool_or(fact.is_unwritable) AS is_unwritable
FROM fact
GROUP BY fact.contact_id;

ANALYZE held_contact;

-- Who has a number that so many have: hardly anybody, as a rule.
DROP TABLE IF EXISTS crowd;

CREATE TEMPORARY TABLE crowd ON COMMIT DROP AS
SELECT
    holder.phone_hash,
    holder.contact_id
FROM (
    SELECT
        number.phone_hash,
        contact.contact_id,
        count(*) OVER (PARTITION BY number.phone_hash) AS holders
    FROM number
    INNER JOIN core.contact AS contact ON number.known_hash = contact.phone_hash
    WHERE contact.merged_into IS NULL AND contact.status <> 'erased'
) AS holder
WHERE holder.holders > CAST(:most_holders AS integer);

ANALYZE crowd;

-- What stands against the numbers: what those who have one have withdrawn (their own is among it, and
-- says nothing that it does not say alone), a suppression, a reply that nobody has read; that more
-- customers of one source have it than a household, as a till or a form fills it in; and who of those who
-- have it is written to.
DROP TABLE IF EXISTS held_number;

CREATE TEMPORARY TABLE held_number ON COMMIT DROP AS
WITH fact AS (
    SELECT
        number.phone_hash,
        stop.withdrawn_at AS stopped_at,
        FALSE AS is_suppressed,
        FALSE AS is_unread,
        FALSE AS is_crowded,
        CAST(NULL AS bigint) AS holder_id,
        CAST(NULL AS date) AS holder_signal_on
    FROM number
    INNER JOIN core.withdrawal_of_number AS stop ON number.known_hash = stop.phone_hash
    WHERE
        stop.channel = :channel
        AND stop.purpose = :purpose
        AND core.stands_at(stop.withdrawn_at, stop.ended_at, :at)
    UNION ALL
    SELECT
        number.phone_hash,
        NULL,
        TRUE,
        FALSE,
        FALSE,
        NULL,
        NULL
    FROM number
    INNER JOIN core.suppressed_number AS held ON number.known_hash = held.phone_hash
    WHERE held.channel = :channel AND core.stands_at(held.since, NULL, :at)
    UNION ALL
    SELECT
        number.phone_hash,
        NULL,
        FALSE,
        TRUE,
        FALSE,
        NULL,
        NULL
    FROM number
    INNER JOIN outbox.unread_reply AS reply ON number.known_hash = reply.phone_hash
    WHERE reply.received_at <= :at
    UNION ALL
    (
        SELECT
            crowd.phone_hash,
            NULL,
            FALSE,
            FALSE,
            TRUE,
            NULL,
            NULL
        FROM crowd
        INNER JOIN core.contact_identity AS identity ON crowd.contact_id = identity.contact_id
        -- Its own cards alone: another's ids on them are no customers of that other.
        INNER JOIN core.card_id AS card
            ON
                identity.source = card.source
                AND identity.source_contact_id = card.source_contact_id
                AND identity.source = card.id_source
                AND identity.source_contact_id = card.id
        GROUP BY crowd.phone_hash, identity.source
        HAVING count(DISTINCT crowd.contact_id) > CAST(:most_holders AS integer)
    )
    UNION ALL
    -- The one with the latest signal, then the lowest id.
    (
        SELECT DISTINCT ON (number.phone_hash)
            number.phone_hash,
            CAST(NULL AS timestamptz),
            FALSE,
            FALSE,
            FALSE,
            contact.contact_id,
            coalesce(activity.last_signal_on, '-infinity')
        FROM number
        INNER JOIN core.contact AS contact ON number.known_hash = contact.phone_hash
        INNER JOIN core.contact_activity AS activity
            ON contact.contact_id = activity.contact_id
        WHERE
            contact.merged_into IS NULL
            AND contact.status <> 'erased'
            AND activity.visible_on <= :as_of
        ORDER BY
            number.phone_hash ASC,
            coalesce(activity.last_signal_on, '-infinity') DESC,
            contact.contact_id ASC
    )
)

SELECT
    fact.phone_hash,
    max(fact.stopped_at) AS stopped_at,
    bool_or(fact.is_suppressed) AS is_suppressed,
    bool_or(fact.is_unread) AS is_unread,
    bool_or(fact.is_crowded) AS is_crowded,
    max(fact.holder_id) AS holder_id,
    max(fact.holder_signal_on) AS holder_signal_on
FROM fact
GROUP BY fact.phone_hash;

ANALYZE held_number;

-- Into which variant of their step contacts were drawn before, by this word and between these two: it
-- stays, whatever share each has now.
DROP TABLE IF EXISTS drawn_before;

CREATE TEMPORARY TABLE drawn_before ON COMMIT DROP AS
SELECT DISTINCT ON (due.contact_id)
    due.contact_id,
    decision.variant
FROM due
INNER JOIN
    jsonb_to_recordset(CAST(:variants AS jsonb)) AS known (draw text, step text, variant text)
    ON due.step = known.step
INNER JOIN cohort.decision AS decision
    ON
        due.contact_id = decision.contact_id
        AND due.step = decision.step
        AND decision.variant = known.variant
INNER JOIN cohort.day AS day
    ON
        decision.as_of = day.as_of
        AND day.control_salt = :control_salt
        AND day.variants @> jsonb_build_array(jsonb_build_object('draw', known.draw))
ORDER BY due.contact_id, decision.as_of;

ANALYZE drawn_before;
