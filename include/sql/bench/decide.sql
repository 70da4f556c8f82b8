-- Bare: decide the episodes that are due, for a policy without any option: the step by its days,
-- then consent, suppression, phone, repeat, duplicate, gap and control.
-- Grain: episode due on as_of. Reads: cohort.episode, core.*, outbox.message, outbox.hit.
-- Writes: cohort.decision. Parameters: as_of, end_of_day, step_names, step_days, purpose, channel,
-- repeat_after_days, gap_days, control_share, control_salt.
-- Twice: refused by the primary key.
WITH due AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        CAST(:as_of AS date) - episode.dormant_since AS inactive_days,
        (CAST(:step_names AS text[]))[
            width_bucket(
                CAST(:as_of AS date) - episode.dormant_since, CAST(:step_days AS integer[])
            )
        ] AS step,
        contact.phone_hash,
        contact.first_source,
        contact.first_source_contact_id,
        activity.last_signal_on
    FROM cohort.episode AS episode
    INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
    INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
    WHERE episode.closed_on IS NULL AND episode.next_due_on <= :as_of
),

texted AS (
    SELECT
        due.contact_id,
        count(*) FILTER (WHERE message.dormant_since = due.dormant_since) AS prior_sends,
        count(*) FILTER (
            WHERE message.dormant_since = due.dormant_since
            AND EXISTS (
                SELECT 1
                FROM outbox.hit AS hit
                WHERE
                    hit.message_id = message.message_id
                    AND hit.kind = 'press'
                    AND hit.at < :end_of_day
            )
        ) AS prior_opens
    FROM due
    INNER JOIN outbox.message AS message ON due.contact_id = message.contact_id
    GROUP BY due.contact_id
),

rung AS (
    SELECT
        due.contact_id,
        max(message.as_of) AS last_on,
        max(message.as_of) FILTER (WHERE message.step = due.step) AS same_step_on
    FROM due
    INNER JOIN outbox.message AS message ON due.phone_hash = message.phone_hash
    GROUP BY due.contact_id
),

judged AS (
    SELECT
        due.contact_id,
        due.dormant_since,
        due.inactive_days,
        due.step,
        coalesce(texted.prior_sends, 0) AS prior_sends,
        coalesce(texted.prior_opens, 0) AS prior_opens,
        CASE
            WHEN texted.prior_opens > 0 THEN 'opened'
            WHEN consent.granted_at IS NULL OR consent.withdrawn_at >= consent.granted_at
                THEN 'no_consent'
            WHEN EXISTS (
                SELECT 1
                FROM core.suppression AS suppression
                WHERE
                    suppression.lifted_at IS NULL
                    AND suppression.channel = :channel
                    AND (
                        suppression.contact_id = due.contact_id
                        OR suppression.phone_hash = due.phone_hash
                    )
            ) THEN 'suppressed'
            WHEN due.phone_hash IS NULL THEN 'no_phone'
            WHEN rung.same_step_on > CAST(:as_of AS date) - CAST(:repeat_after_days AS integer)
                THEN 'repeat'
            WHEN EXISTS (
                SELECT 1
                FROM core.contact AS other
                INNER JOIN core.contact_activity AS theirs ON other.contact_id = theirs.contact_id
                WHERE
                    other.phone_hash = due.phone_hash
                    AND other.contact_id <> due.contact_id
                    AND (coalesce(theirs.last_signal_on, '-infinity'), -other.contact_id)
                    > (coalesce(due.last_signal_on, '-infinity'), -due.contact_id)
            ) THEN 'duplicate_phone'
            WHEN rung.last_on > CAST(:as_of AS date) - CAST(:gap_days AS integer) THEN 'gap'
            WHEN
                CAST(
                    CAST(
                        'x' || substr(
                            md5(
                                :control_salt || ':' || due.first_source || ':'
                                || due.first_source_contact_id
                            ), 1, 8
                        ) AS bit(32)
                    ) AS bigint
                ) < CAST(:control_share AS double precision) * 4294967296
                THEN 'control'
            ELSE 'due'
        END AS reason
    FROM due
    LEFT JOIN texted ON due.contact_id = texted.contact_id
    LEFT JOIN rung ON due.contact_id = rung.contact_id
    CROSS JOIN LATERAL (
        SELECT
            max(said.granted_at) AS granted_at,
            max(said.withdrawn_at) AS withdrawn_at
        FROM core.consent AS said
        WHERE
            said.contact_id = due.contact_id
            AND said.channel = :channel
            AND said.purpose = :purpose
            AND said.effective_at < :end_of_day
    ) AS consent
)

INSERT INTO cohort.decision (
    as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens, action,
    reason, policy_version
)
SELECT
    :as_of,
    judged.contact_id,
    judged.dormant_since,
    judged.inactive_days,
    judged.step,
    judged.prior_sends,
    judged.prior_opens,
    CAST(
        CASE
            WHEN judged.reason = 'due' THEN 'send'
            WHEN judged.reason IN ('opened', 'repeat') THEN 'skip'
            ELSE 'hold'
        END AS cohort.action
    ),
    CAST(judged.reason AS cohort.reason),
    'bare'
FROM judged;
