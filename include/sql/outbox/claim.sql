-- Claim the next messages for one sender, and judge them once more: a stop, a withdrawal, an open,
-- a return, a new number or one that is no mobile, a reply that nobody has read yet, or a late hour
-- since the decision wins, and cancels the message.
-- Rows are claimed by their status, so two senders never hold one message; a sender keeps to its
-- own share of the contacts. A batch has one not_after, since the provider is given one for all.
-- What was refused in a row with many others is claimed apart from the rest, and after it.
-- A number is looked up in every spelling. Grain: message. Reads: core.*, cohort.episode, outbox.judged_hit, outbox.reply.
-- Writes: outbox.message.
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
        due.*,
        core.phone_hashes(due.phone_hash) AS phone_hashes
    FROM due
    WHERE due.not_after = (SELECT min(every.not_after) FROM due AS every)
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
                OR (contact.phone_hash = ANY(message.phone_hashes)) IS NOT TRUE
                THEN 'phone_changed'
            WHEN NOT core.may_be_mobile(contact.phone_kind) THEN 'not_mobile'
            WHEN contact.status <> 'active' THEN 'suppressed'
            -- Two questions, each by its index.
            WHEN EXISTS (
                SELECT 1
                FROM core.suppression AS suppression
                WHERE
                    suppression.lifted_at IS NULL
                    AND suppression.channel = message.channel
                    AND suppression.phone_hash = ANY(message.phone_hashes)
            ) THEN 'suppressed'
            WHEN EXISTS (
                SELECT 1
                FROM core.suppression AS suppression
                WHERE
                    suppression.lifted_at IS NULL
                    AND suppression.channel = message.channel
                    AND suppression.contact_id = message.contact_id
                    AND suppression.scope = 'person'
            ) THEN 'suppressed'
            WHEN EXISTS (
                SELECT 1
                FROM outbox.reply AS reply
                WHERE
                    reply.phone_hash = ANY(message.phone_hashes)
                    AND reply.meaning = 'unclear'
                    AND reply.reviewed_at IS NULL
            ) THEN 'unread_reply'
            WHEN
                consent.granted_at IS NULL
                OR greatest(consent.withdrawn_at, elsewhere.stopped_at) >= consent.granted_at
                THEN 'no_consent'
            WHEN episode.returned_on IS NOT NULL OR episode.closed_on IS NOT NULL THEN 'returned'
            WHEN
                coalesce(core.last_of(activity, clock.signals), activity.last_signal_on)
                > message.dormant_since
                THEN 'returned'
            WHEN EXISTS (
                SELECT 1
                FROM outbox.message AS earlier
                INNER JOIN outbox.judged_hit AS hit
                    ON
                        earlier.contact_id = hit.contact_id
                        AND earlier.message_id = hit.message_id
                WHERE
                    earlier.contact_id = message.contact_id
                    AND earlier.dormant_since = message.dormant_since
                    AND hit.verdict = 'human'
            ) THEN 'opened'
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
    -- As in cohort/decide: the latest grant against the latest withdrawal, now.
    CROSS JOIN
        LATERAL (
            SELECT
                max(said.granted_at) AS granted_at,
                max(said.withdrawn_at) FILTER (WHERE said.withdrawn_at <= :now) AS withdrawn_at
            FROM (
                SELECT DISTINCT ON (record.source, record.record_key, record.effective_at)
                    record.granted_at,
                    record.withdrawn_at
                FROM core.consent AS record
                WHERE
                    record.contact_id = message.contact_id
                    AND record.channel = message.channel
                    AND record.purpose = :purpose
                    AND record.effective_at <= :now
                ORDER BY record.source ASC, record.record_key ASC, record.effective_at ASC, record.consent_id DESC
            ) AS said
        ) AS consent
    CROSS JOIN LATERAL (
        SELECT max(stop.stopped_at) AS stopped_at
        FROM core.stop_elsewhere AS stop
        WHERE
            stop.contact_id = message.contact_id
            AND stop.channel = message.channel
            AND coalesce(stop.purpose = :purpose, TRUE)
            AND stop.stopped_at <= :now
            AND coalesce(stop.ended_at > :now, TRUE)
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
    AND message.status = 'queued'
RETURNING
    message.contact_id,
    message.message_id,
    judged.phone_e164,
    judged.time_zone,
    judged.country,
    message.step,
    message.body,
    message.not_after,
    judged.obstacle;
