-- Decide every episode that is due: its step, what to do, and why.
--
-- The step is the highest one whose days are reached and that is not done yet. The reasons are
-- checked in the order of cohort.reason; the first that applies is written. Control is asked last,
-- so that both arms are made of contacts who would otherwise be written to.
--
-- A person is a contact with those that were merged into it, and whoever has its number.
--
-- Grain: episode due on as_of. Reads: cohort.episode, core.*, outbox.message, outbox.judged_hit.
-- Writes: cohort.decision. Parameters: as_of, end_of_day (the first instant after as_of in the
-- brand's zone), step_names, step_days, purpose, channel, expires_after_days, repeat_after_days,
-- gap_days, control_share, control_salt, policy_version.
-- Twice: an episode is decided once a day (the primary key), and advance_episodes moves its date.
WITH ladder AS (
    SELECT
        rung.step,
        rung.days
    FROM
        unnest(CAST(:step_names AS text[]), CAST(:step_days AS integer[])) AS rung (step, days)
),

due AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.arm,
        CAST(:as_of AS date) - episode.dormant_since AS inactive_days,
        reached.step,
        contact.phone_hash,
        contact.phone_e164,
        contact.first_source,
        contact.first_source_contact_id,
        activity.last_signal_on
    FROM cohort.episode AS episode
    INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
    INNER JOIN core.contact_activity AS activity ON episode.contact_id = activity.contact_id
    CROSS JOIN
        LATERAL (
            SELECT ladder.step
            FROM ladder
            WHERE
                ladder.days <= CAST(:as_of AS date) - episode.dormant_since
                AND ladder.days > episode.done_days
            ORDER BY ladder.days DESC
            LIMIT 1
        ) AS reached
    WHERE
        episode.closed_on IS NULL
        AND episode.next_due_on <= :as_of
        AND episode.returned_on IS NULL
        AND contact.merged_into IS NULL
        AND contact.status <> 'erased'
),

-- Messages of the episode that were (or may have been) handed over, and those of them opened.
earlier AS (
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
    GROUP BY due.contact_id
),

-- When the person was last texted, and last with this step. Only what is certain not to have been
-- sent does not count.
texted AS (
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
        INNER JOIN core.contact_identity AS identity ON due.contact_id = identity.contact_id
        INNER JOIN outbox.message AS message ON message.contact_id = identity.original_contact_id
        WHERE identity.original_contact_id <> identity.contact_id
    ) AS theirs
    WHERE theirs.status NOT IN ('rejected', 'cancelled')
    GROUP BY theirs.contact_id
),

judged AS (
    SELECT
        due.contact_id,
        due.dormant_since,
        due.inactive_days,
        due.step,
        coalesce(earlier.prior_sends, 0) AS prior_sends,
        coalesce(earlier.prior_opens, 0) AS prior_opens,
        CASE
            WHEN earlier.prior_opens > 0 THEN 'opened'
            WHEN
                consent.granted_at IS NULL OR consent.withdrawn_at >= consent.granted_at
                THEN 'no_consent'
            WHEN
                consent.granted_at
                < CAST(:end_of_day AS timestamptz)
                - make_interval(days => CAST(:expires_after_days AS integer))
                THEN 'consent_expired'
            WHEN EXISTS (
                SELECT 1
                FROM core.suppression AS suppression
                WHERE
                    suppression.lifted_at IS NULL
                    AND suppression.channel = :channel
                    AND suppression.since < :end_of_day
                    AND (
                        suppression.contact_id = due.contact_id
                        OR suppression.phone_hash = due.phone_hash
                    )
            ) THEN 'suppressed'
            WHEN due.phone_e164 IS NULL THEN 'no_phone'
            WHEN
                texted.same_step_on > CAST(:as_of AS date) - CAST(:repeat_after_days AS integer)
                THEN 'repeat'
            WHEN EXISTS (
                SELECT 1
                FROM core.contact AS other
                INNER JOIN core.contact_activity AS theirs ON other.contact_id = theirs.contact_id
                WHERE
                    other.phone_hash = due.phone_hash
                    AND other.contact_id <> due.contact_id
                    AND other.merged_into IS NULL
                    AND other.status <> 'erased'
                    AND theirs.visible_on <= :as_of
                    AND (
                        coalesce(theirs.last_signal_on, '-infinity'), -other.contact_id
                    ) > (coalesce(due.last_signal_on, '-infinity'), -due.contact_id)
            ) THEN 'duplicate_phone'
            WHEN texted.last_on > CAST(:as_of AS date) - CAST(:gap_days AS integer) THEN 'gap'
            WHEN
                due.arm = 'control'
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
                )
                THEN 'control'
            ELSE 'due'
        END AS reason
    FROM due
    LEFT JOIN earlier ON due.contact_id = earlier.contact_id
    LEFT JOIN texted ON due.contact_id = texted.contact_id
    -- The latest grant and the latest withdrawal, whichever records they stand in. A source that
    -- says a record of the same time anew corrects it.
    CROSS JOIN LATERAL (
        SELECT
            max(said.granted_at) AS granted_at,
            max(said.withdrawn_at) FILTER (WHERE said.withdrawn_at < :end_of_day) AS withdrawn_at
        FROM (
            SELECT DISTINCT ON (consent.source, consent.record_key, consent.effective_at)
                consent.granted_at,
                consent.withdrawn_at
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
    ) AS action,
    CAST(judged.reason AS cohort.reason) AS reason,
    :policy_version
FROM judged
ON CONFLICT (contact_id, as_of) DO NOTHING;
