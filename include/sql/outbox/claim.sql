-- Claim the next messages for one sender, and judge them once more: a stop, a withdrawal, an open,
-- a return, a new number or one that is no mobile, a reply that nobody has read yet, or a late hour
-- since the decision wins, and cancels the message.
-- Rows are claimed by their status, so two senders never hold one message; a sender keeps to its
-- own share of the contacts. A batch has one not_after, since the provider is given one for all.
-- What was refused in a row with many others is claimed apart from the rest, and after it.
-- A number is looked up in every spelling. Grain: message. Reads: core.*, cohort.episode,
-- outbox.hit_of_episode, outbox.unread_reply.
-- Writes: outbox.message.
-- due: how many it looked at; more than are claimed, or a whole batch, and others may be left.
-- Parameters: now, wall, provider, bulk_id, claimed_by, senders, sender, batch_size, max_age_days,
-- today, purpose, clocks; is_refused: of those, or of the rest; contact_id: of this one alone (NULL:
-- of anybody). Twice: what is claimed or cancelled is not queued any more.
WITH due AS MATERIALIZED (
    SELECT
        message.contact_id,
        message.dormant_since,
        message.step,
        message.channel,
        message.as_of,
        message.not_after,
        message.phone_hash
    FROM outbox.message AS message
    WHERE
        message.status = 'queued'
        AND message.not_before <= :now
        AND (message.refused_at IS NOT NULL) = CAST(:is_refused AS boolean)
        AND (
            CAST(:contact_id AS bigint) IS NULL OR message.contact_id = CAST(:contact_id AS bigint)
        )
        -- Alone, the planner need not guess how many are one's own, and reads by the index.
        AND (
            CAST(:senders AS integer) = 1
            OR message.contact_id % CAST(:senders AS integer) = CAST(:sender AS integer)
        )
    ORDER BY message.not_before, message.not_after, message.contact_id
    LIMIT :batch_size
),

next AS MATERIALIZED (
    SELECT
        due.contact_id,
        due.dormant_since,
        due.step,
        due.channel,
        due.as_of,
        due.not_after,
        due.phone_hash
    FROM due
    WHERE due.not_after = (SELECT min(every.not_after) FROM due AS every)
),

-- The numbers, each with every hash that it is known by.
number AS MATERIALIZED (
    SELECT
        next.phone_hash,
        next.phone_hash AS known_hash
    FROM next
    UNION
    SELECT
        next.phone_hash,
        alias.alias_hash
    FROM next
    INNER JOIN core.phone_alias AS alias ON next.phone_hash = alias.phone_hash
),

-- What stands in the way, whatever the time it is of: a link service's clock may be ahead.
held_number AS (
    SELECT DISTINCT
        number.phone_hash,
        held.channel
    FROM number
    INNER JOIN core.suppressed_number AS held ON number.known_hash = held.phone_hash
),

held_person AS (
    SELECT DISTINCT
        next.contact_id,
        held.channel
    FROM next
    INNER JOIN core.suppressed_person AS held ON next.contact_id = held.contact_id
),

unread AS (
    SELECT DISTINCT number.phone_hash
    FROM number
    INNER JOIN outbox.unread_reply AS reply ON number.known_hash = reply.phone_hash
),

-- As in cohort/due: the latest grant against the latest withdrawal, now.
agreed AS (
    SELECT
        next.contact_id,
        next.channel,
        max(record.granted_at) AS granted_at,
        max(record.withdrawn_at) FILTER (WHERE record.withdrawn_at <= :now) AS withdrawn_at
    FROM next
    INNER JOIN core.consent_record AS record
        ON next.contact_id = record.contact_id AND next.channel = record.channel
    WHERE record.purpose = :purpose AND record.effective_at <= :now
    GROUP BY next.contact_id, next.channel
),

opened AS (
    SELECT DISTINCT
        next.contact_id,
        next.dormant_since
    FROM next
    INNER JOIN outbox.hit_of_episode AS hit
        ON
            next.contact_id = hit.contact_id
            AND next.dormant_since = hit.dormant_since
            AND hit.verdict = 'human'
),

judged AS MATERIALIZED (
    SELECT
        message.contact_id,
        message.dormant_since,
        message.step,
        message.channel,
        contact.phone_e164,
        contact.time_zone,
        contact.country,
        CASE
            WHEN message.not_after <= :now THEN 'too_late'
            WHEN message.as_of < CAST(:today AS date) - CAST(:max_age_days AS integer)
                THEN 'too_old'
            WHEN
                contact.phone_e164 IS NULL
                OR contact.merged_into IS NOT NULL
                -- Another hash of the number is the number.
                OR number.phone_hash IS NULL
                THEN 'phone_changed'
            WHEN NOT core.may_be_mobile(contact.phone_kind) THEN 'not_mobile'
            WHEN contact.status <> 'active' THEN 'suppressed'
            WHEN held_number.phone_hash IS NOT NULL OR held_person.contact_id IS NOT NULL
                THEN 'suppressed'
            WHEN unread.phone_hash IS NOT NULL THEN 'unread_reply'
            WHEN
                NOT core.has_consent(
                    agreed.granted_at, greatest(agreed.withdrawn_at, elsewhere.stopped_at)
                )
                THEN 'no_consent'
            WHEN episode.returned_on IS NOT NULL OR episode.closed_on IS NOT NULL THEN 'returned'
            WHEN
                coalesce(
                    core.last_on(
                        clock.signals,
                        activity.last_purchase_on,
                        activity.last_visit_on,
                        activity.last_loyalty_on,
                        activity.last_email_open_on,
                        activity.last_email_click_on,
                        activity.last_reply_on,
                        activity.last_login_on
                    ), activity.last_signal_on
                ) > message.dormant_since
                THEN 'returned'
            WHEN opened.contact_id IS NOT NULL THEN 'opened'
        END AS obstacle
    FROM next AS message
    INNER JOIN core.contact AS contact ON message.contact_id = contact.contact_id
    INNER JOIN core.contact_activity AS activity ON message.contact_id = activity.contact_id
    INNER JOIN cohort.episode AS episode
        ON
            message.contact_id = episode.contact_id
            AND message.dormant_since = episode.dormant_since
    LEFT JOIN
        jsonb_to_recordset(CAST(:clocks AS jsonb)) AS clock (
            behaviour text, signals core.interaction_kind[]
        )
        ON episode.behaviour = clock.behaviour
    LEFT JOIN number
        ON
            message.phone_hash = number.phone_hash
            AND contact.phone_hash = number.known_hash
    LEFT JOIN held_number
        ON
            message.phone_hash = held_number.phone_hash
            AND message.channel = held_number.channel
    LEFT JOIN held_person
        ON
            message.contact_id = held_person.contact_id
            AND message.channel = held_person.channel
    LEFT JOIN unread ON message.phone_hash = unread.phone_hash
    LEFT JOIN agreed ON message.contact_id = agreed.contact_id AND message.channel = agreed.channel
    LEFT JOIN opened
        ON
            message.contact_id = opened.contact_id
            AND message.dormant_since = opened.dormant_since
    -- By contact: joined as a whole, the view would be worked out for everybody.
    CROSS JOIN LATERAL (
        -- FILTER: of a bare max() the planner plans the whole view a second time, in order.
        SELECT
            max(stop.stopped_at) FILTER (
                WHERE core.stands_at(stop.stopped_at, stop.ended_at, :now)
            ) AS stopped_at
        FROM core.stop_elsewhere AS stop
        WHERE
            stop.contact_id = message.contact_id
            AND stop.channel = message.channel
            AND coalesce(stop.purpose = :purpose, TRUE)
    ) AS elsewhere
)

UPDATE outbox.message AS message
SET
    status = CASE
        WHEN judged.obstacle IS NULL THEN 'sending'::outbox.message_status
        ELSE 'cancelled'::outbox.message_status
    END,
    -- With which code it was refused in a row, while it waits for that.
    error_code = coalesce(
        judged.obstacle, CASE WHEN message.refused_at IS NOT NULL THEN message.error_code END
    ),
    status_at = :now,
    claimed_at = CASE WHEN judged.obstacle IS NULL THEN :wall ELSE message.claimed_at END,
    claimed_by = CASE WHEN judged.obstacle IS NULL THEN CAST(:claimed_by AS bigint) END,
    provider = CASE WHEN judged.obstacle IS NULL THEN :provider ELSE message.provider END,
    bulk_id = CASE WHEN judged.obstacle IS NULL THEN :bulk_id ELSE message.bulk_id END,
    attempts = message.attempts + CASE WHEN judged.obstacle IS NULL THEN 1 ELSE 0 END
FROM judged
WHERE
    message.contact_id = judged.contact_id
    AND message.dormant_since = judged.dormant_since
    AND message.step = judged.step
    AND message.channel = judged.channel
    -- As a text: by the index of what is queued, of which the statistics know nothing before the
    -- first evening, each row would be held against all that wait.
    AND CAST(message.status AS text) = 'queued'
RETURNING
    message.contact_id,
    message.message_id,
    judged.phone_e164,
    judged.time_zone,
    judged.country,
    message.step,
    message.body,
    message.not_after,
    judged.obstacle,
    (SELECT count(*) FROM due) AS due;
