-- Decide every episode that is due: its step, what to do, and why.
--
-- The step is the highest one whose days are reached and that is not done yet; in order, the lowest
-- that is not behind. The reasons are checked in the order of cohort.reason; the first that applies
-- is written. Control is asked last, so that both arms are made of contacts who would otherwise be
-- written to.
--
-- The caps let through, by caps_order: recent, the most recently active first; waiting, who has been
-- due longest first; shared, of each step its share, the most recently active first within it.
--
-- A person is a contact with those that were merged into it, and whoever has its number, in every
-- spelling. What is said of a number alone holds whoever has it now, and nobody who had it.
--
-- Grain: episode due on as_of. Reads: cohort.episode, core.*, outbox.message, outbox.judged_hit,
-- outbox.reply.
-- Writes: cohort.decision, the temporary tables due, earlier, texted, withdrawn_number,
-- crowded_number and judged (each is analyzed before it is read, as no statistics tell how many are due). Parameters: as_of, end_of_day (the first instant
-- after as_of in the brand's zone), ladder, is_in_order, purpose, channel, country (of contacts without one),
-- expires_after_days, consent_clocks, repeat_after_days, gap_days, daily_cap, warm_up_cap,
-- most_holders (customers of one source who may have one number), caps_order, control_share,
-- control_salt, policy_version.
-- Twice: an episode is decided once a day (the primary key), and episode/advance moves its date.
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
)

SELECT
    episode.contact_id,
    episode.dormant_since,
    episode.arm,
    CAST(:as_of AS date) - episode.dormant_since AS inactive_days,
    reached.step,
    reached.position,
    episode.last_final_on,
    contact.phone_hash,
    core.phone_hashes(contact.phone_hash) AS phone_hashes,
    contact.phone_e164,
    contact.phone_kind,
    contact.first_source,
    contact.first_source_contact_id,
    coalesce(contact.country, :country) AS country,
    activity.last_signal_on
FROM cohort.episode AS episode
INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
CROSS JOIN
    LATERAL (
        SELECT
            rung.step,
            rung.position
        FROM rung
        WHERE
            rung.behaviour = episode.behaviour
            AND greatest(1, CAST(round(rung.days * episode.pace) AS integer))
            <= CAST(:as_of AS date) - episode.dormant_since
            AND rung.position > episode.done_position
            AND (NOT CAST(:is_in_order AS boolean) OR rung.position > episode.last_position)
        ORDER BY CASE WHEN CAST(:is_in_order AS boolean) THEN -rung.position ELSE rung.position END DESC
        LIMIT 1
    ) AS reached
WHERE
    episode.closed_on IS NULL
    AND episode.next_due_on <= :as_of
    AND episode.returned_on IS NULL
    AND contact.merged_into IS NULL
    AND contact.status <> 'erased';

ANALYZE due;

DROP TABLE IF EXISTS earlier;

-- Messages of the episode that were (or may have been) handed over, and those of them opened.
CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS
SELECT
    due.contact_id,
    count(*) AS prior_sends,
    count(*) FILTER (
        WHERE EXISTS (
            SELECT 1
            FROM outbox.judged_hit AS hit
            WHERE
                hit.contact_id = message.contact_id
                AND hit.message_id = message.message_id
                AND hit.verdict = 'human'
                AND hit.at < :end_of_day
        )
    ) AS prior_opens
FROM due
INNER JOIN outbox.message AS message
    ON due.contact_id = message.contact_id AND due.dormant_since = message.dormant_since
WHERE
    message.status IN ('sending', 'accepted', 'delivered', 'undelivered', 'expired', 'unknown')
GROUP BY due.contact_id;

ANALYZE earlier;

DROP TABLE IF EXISTS texted;

-- When the person was last texted, and last with this step. Only what is certain not to have been
-- sent does not count.
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
        message.as_of,
        message.status
    FROM due
    INNER JOIN outbox.message AS message ON due.contact_id = message.contact_id
    UNION ALL
    SELECT
        due.contact_id,
        due.step,
        message.step,
        message.as_of,
        message.status
    FROM due
    INNER JOIN outbox.message AS message ON due.phone_hash = message.phone_hash
    UNION ALL
    SELECT
        due.contact_id,
        due.step,
        message.step,
        message.as_of,
        message.status
    FROM due
    INNER JOIN core.phone_alias AS alias ON due.phone_hash = alias.phone_hash
    INNER JOIN outbox.message AS message ON alias.alias_hash = message.phone_hash
    UNION ALL
    SELECT
        due.contact_id,
        due.step,
        message.step,
        message.as_of,
        message.status
    FROM due
    INNER JOIN core.contact_identity AS identity ON due.contact_id = identity.contact_id
    INNER JOIN outbox.message AS message ON message.contact_id = identity.original_contact_id
    WHERE identity.original_contact_id <> identity.contact_id
) AS theirs
WHERE theirs.status NOT IN ('rejected', 'cancelled')
GROUP BY theirs.contact_id;

ANALYZE texted;

-- What stands of all that those who have a number have withdrawn. Their own is among it, and says
-- nothing that it does not say alone.
DROP TABLE IF EXISTS withdrawn_number;

CREATE TEMPORARY TABLE withdrawn_number ON COMMIT DROP AS
SELECT
    number.phone_hash,
    (
        SELECT max(stop.withdrawn_at)
        FROM unnest(number.phone_hashes) AS form (phone_hash)
        INNER JOIN core.withdrawal_of_number AS stop ON form.phone_hash = stop.phone_hash
        WHERE
            stop.channel = :channel
            AND stop.purpose = :purpose
            AND stop.withdrawn_at < :end_of_day
            AND coalesce(stop.ended_at >= :end_of_day, TRUE)
    ) AS stopped_at
FROM (
    SELECT DISTINCT
        due.phone_hash,
        due.phone_hashes
    FROM due
    WHERE due.phone_hash IS NOT NULL
) AS number;

ANALYZE withdrawn_number;

-- Numbers that more customers of one source have than a household: what a till or a form fills in.
DROP TABLE IF EXISTS crowded_number;

CREATE TEMPORARY TABLE crowded_number ON COMMIT DROP AS
SELECT number.phone_hash
FROM (
    SELECT DISTINCT
        due.phone_hash,
        due.phone_hashes
    FROM due
    WHERE due.phone_e164 IS NOT NULL
) AS number
CROSS JOIN
    LATERAL (
        SELECT array_agg(contact.contact_id) AS contact_ids
        FROM unnest(number.phone_hashes) AS form (phone_hash)
        INNER JOIN core.contact AS contact ON form.phone_hash = contact.phone_hash
        WHERE contact.merged_into IS NULL AND contact.status <> 'erased'
        HAVING count(*) > CAST(:most_holders AS integer)
    ) AS holding
WHERE EXISTS (
    SELECT 1
    FROM unnest(holding.contact_ids) AS holder (contact_id)
    INNER JOIN core.contact_identity AS identity ON holder.contact_id = identity.contact_id
    -- Its own cards alone: another's ids on them are no customers of that other.
    INNER JOIN core.card_id AS card
        ON
            identity.source = card.source
            AND identity.source_contact_id = card.source_contact_id
            AND identity.source = card.id_source
            AND identity.source_contact_id = card.id
    GROUP BY identity.source
    HAVING count(DISTINCT holder.contact_id) > CAST(:most_holders AS integer)
);

ANALYZE crowded_number;

DROP TABLE IF EXISTS judged;

CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
SELECT
    due.contact_id,
    due.dormant_since,
    due.inactive_days,
    due.step,
    due.position,
    -- Since when the step was only put off.
    CASE
        WHEN CAST(:caps_order AS text) = 'waiting'
            THEN (
                SELECT min(held.as_of)
                FROM cohort.decision AS held
                WHERE
                    held.contact_id = due.contact_id
                    AND held.dormant_since = due.dormant_since
                    AND held.as_of > coalesce(due.last_final_on, '-infinity')
                    AND NOT held.is_final
            )
    END AS waits_since,
    coalesce(due.arm = 'control', FALSE)
    OR (
        due.arm IS NULL
        -- The first 32 bits of the hash, as a share of all.
        AND CAST(
            CAST(
                'x' || substr(
                    md5(
                        :control_salt || ':' || due.first_source || ':'
                        || due.first_source_contact_id
                    ), 1, 8
                ) AS bit(32)
            ) AS bigint
        ) < CAST(:control_share AS double precision) * 4294967296
    ) AS is_control,
    -- A text that could not be made takes nobody's place under a cap.
    EXISTS(
        SELECT 1
        FROM cohort.decision AS failed
        WHERE
            failed.contact_id = due.contact_id
            AND failed.dormant_since = due.dormant_since
            AND failed.reason IN ('template', 'stock')
    ) AS is_unwritable,
    coalesce(earlier.prior_sends, 0) AS prior_sends,
    coalesce(earlier.prior_opens, 0) AS prior_opens,
    CASE
        WHEN earlier.prior_opens > 0 THEN 'opened'
        WHEN
            consent.granted_at IS NULL
            OR greatest(
                consent.withdrawn_at, elsewhere.stopped_at, withdrawn_number.stopped_at
            ) >= consent.granted_at
            THEN 'no_consent'
        WHEN
            consent.granted_at
            < CAST(:end_of_day AS timestamptz)
            - make_interval(
                days => least(CAST(:expires_after_days AS integer), clock.after_days)
            )
            THEN 'consent_expired'
        WHEN EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.lifted_at IS NULL
                AND suppression.channel = :channel
                AND suppression.since < :end_of_day
                AND (
                    (
                        suppression.contact_id = due.contact_id
                        AND suppression.scope = 'person'
                    )
                    OR suppression.phone_hash = ANY(due.phone_hashes)
                )
        ) THEN 'suppressed'
        WHEN EXISTS (
            SELECT 1
            FROM outbox.reply AS reply
            WHERE
                reply.phone_hash = ANY(due.phone_hashes)
                AND reply.meaning = 'unclear'
                AND reply.reviewed_at IS NULL
                AND reply.received_at < :end_of_day
        ) THEN 'unread_reply'
        WHEN due.phone_e164 IS NULL THEN 'no_phone'
        WHEN NOT core.may_be_mobile(due.phone_kind) THEN 'not_mobile'
        WHEN
            texted.same_step_on > CAST(:as_of AS date) - CAST(:repeat_after_days AS integer)
            THEN 'repeat'
        WHEN due.phone_hash IN (SELECT crowded_number.phone_hash FROM crowded_number)
            THEN 'duplicate_phone'
        WHEN EXISTS (
            SELECT 1
            FROM core.contact AS other
            INNER JOIN core.contact_activity AS theirs ON other.contact_id = theirs.contact_id
            WHERE
                other.phone_hash = ANY(due.phone_hashes)
                AND other.contact_id <> due.contact_id
                AND other.merged_into IS NULL
                AND other.status <> 'erased'
                AND theirs.visible_on <= :as_of
                AND (
                    coalesce(theirs.last_signal_on, '-infinity'), -other.contact_id
                ) > (coalesce(due.last_signal_on, '-infinity'), -due.contact_id)
        ) THEN 'duplicate_phone'
        WHEN texted.last_on > CAST(:as_of AS date) - CAST(:gap_days AS integer) THEN 'gap'
    END AS obstacle
FROM due
LEFT JOIN earlier ON due.contact_id = earlier.contact_id
LEFT JOIN texted ON due.contact_id = texted.contact_id
LEFT JOIN withdrawn_number ON due.phone_hash = withdrawn_number.phone_hash
-- The latest grant and the latest withdrawal, whichever records they stand in. A source that
-- says a record of the same time anew corrects it. A stop elsewhere that may be theirs counts
-- as a withdrawal.
CROSS JOIN
    LATERAL (
        SELECT
            max(said.granted_at) AS granted_at,
            max(said.withdrawn_at) FILTER (WHERE said.withdrawn_at < :end_of_day) AS withdrawn_at,
            (array_agg(said.basis ORDER BY said.granted_at DESC NULLS LAST))[1] AS basis
        FROM (
            SELECT DISTINCT ON (consent.source, consent.record_key, consent.effective_at)
                consent.granted_at,
                consent.withdrawn_at,
                consent.basis
            FROM core.consent AS consent
            WHERE
                consent.contact_id = due.contact_id
                AND consent.channel = :channel
                AND consent.purpose = :purpose
                AND consent.effective_at < :end_of_day
            ORDER BY
                consent.source ASC, consent.record_key ASC, consent.effective_at ASC, consent.consent_id DESC
        ) AS said
    ) AS consent
CROSS JOIN
    LATERAL (
        SELECT max(stop.stopped_at) AS stopped_at
        FROM core.stop_elsewhere AS stop
        WHERE
            stop.contact_id = due.contact_id
            AND NOT stop.is_by_number
            AND stop.channel = :channel
            AND coalesce(stop.purpose = :purpose, TRUE)
            AND stop.stopped_at < :end_of_day
            AND coalesce(stop.ended_at >= :end_of_day, TRUE)
    ) AS elsewhere
CROSS JOIN LATERAL (
    SELECT min(known.after_days) AS after_days
    FROM
        jsonb_to_recordset(CAST(:consent_clocks AS jsonb)) AS known (
            country text, basis text, after_days integer
        )
    WHERE
        known.country = due.country
        AND (known.basis IS NULL OR known.basis = consent.basis)
) AS clock;

ANALYZE judged;

-- Those for whom nothing stands in the way, each with the share of their step that would be written
-- to before them. In the order of these shares, a cap at any place has taken as much of each step, to
-- a contact, and one of every step before a second of any.
WITH asking AS (
    SELECT
        judged.contact_id,
        judged.is_control,
        judged.is_unwritable,
        judged.inactive_days,
        judged.position,
        coalesce(judged.waits_since, CAST(:as_of AS date)) AS waits_since,
        CAST(
            count(*) FILTER (WHERE NOT judged.is_control) OVER (
                PARTITION BY judged.is_unwritable, judged.step
                ORDER BY judged.inactive_days, judged.contact_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS double precision
        )
        / greatest(
            1,
            count(*) FILTER (WHERE NOT judged.is_control) OVER (
                PARTITION BY judged.is_unwritable, judged.step
            )
        ) AS share_ahead
    FROM judged
    WHERE judged.obstacle IS NULL
),

-- How many would be written to before each.
queue AS (
    SELECT
        asking.contact_id,
        count(*) FILTER (WHERE NOT asking.is_control) OVER (
            ORDER BY
                asking.is_unwritable,
                CASE WHEN CAST(:caps_order AS text) = 'shared' THEN asking.share_ahead END,
                -- Where the cap is less than the steps, they take turns, day by day.
                CASE
                    WHEN CAST(:caps_order AS text) = 'shared'
                        THEN
                            mod(
                                asking.position + (CAST(:as_of AS date) - CAST('0001-01-01' AS date)),
                                (
                                    SELECT count(DISTINCT rung.step)
                                    FROM
                                        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS rung (
                                            step text
                                        )
                                )
                            )
                END,
                CASE WHEN CAST(:caps_order AS text) = 'waiting' THEN asking.waits_since END,
                CASE WHEN CAST(:caps_order AS text) = 'waiting' THEN -asking.inactive_days END,
                asking.inactive_days,
                asking.contact_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS ahead
    FROM asking
),

concluded AS (
    SELECT
        judged.*,
        coalesce(
            judged.obstacle,
            CASE
                WHEN queue.ahead >= CAST(:daily_cap AS integer) THEN 'daily_cap'
                WHEN queue.ahead >= CAST(:warm_up_cap AS integer) THEN 'warm_up'
                WHEN judged.is_control THEN 'control'
                ELSE 'due'
            END
        ) AS reason
    FROM judged
    LEFT JOIN queue ON judged.contact_id = queue.contact_id
)

INSERT INTO cohort.decision (
    as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens, action,
    reason, is_final, policy_version
)
SELECT
    :as_of,
    concluded.contact_id,
    concluded.dormant_since,
    concluded.inactive_days,
    concluded.step,
    concluded.prior_sends,
    concluded.prior_opens,
    CAST(
        CASE
            WHEN concluded.reason = 'due' THEN 'send'
            WHEN concluded.reason IN ('opened', 'repeat') THEN 'skip'
            ELSE 'hold'
        END AS cohort.action
    ) AS action,
    CAST(concluded.reason AS cohort.reason) AS reason,
    concluded.reason NOT IN ('unread_reply', 'gap', 'daily_cap', 'warm_up') AS is_final,
    :policy_version
FROM concluded
ON CONFLICT (contact_id, as_of) DO NOTHING;
