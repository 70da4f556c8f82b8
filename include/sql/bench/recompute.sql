-- Naive: the last dates of everybody from all interactions, and a decision from them for everybody
-- who is due: what a pipeline without memory does every day.
-- Grain: contact. Reads: core.*, cohort.episode, outbox.message, outbox.hit. Writes:
-- cohort.decision, the temporary table recomputed. Parameters: as_of, end_of_day, signals,
-- step_names, step_days, after_days, purpose, channel, repeat_after_days, gap_days, control_share,
-- control_salt. Twice: refused by the primary key.
CREATE TEMPORARY TABLE recomputed ON COMMIT DROP AS
SELECT
    interaction.contact_id,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'purchase') AS last_purchase_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'visit') AS last_visit_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'loyalty') AS last_loyalty_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_open')
        AS last_email_open_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'email_click')
        AS last_email_click_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'reply') AS last_reply_on,
    max(interaction.occurred_on) FILTER (WHERE interaction.kind = 'login') AS last_login_on,
    max(interaction.occurred_on) FILTER (
        WHERE interaction.kind = ANY(CAST(:signals AS core.interaction_kind[]))
    ) AS last_signal_on,
    min(interaction.occurred_on) AS first_interaction_on,
    count(*) FILTER (WHERE interaction.kind = 'purchase') AS purchases
FROM core.interaction AS interaction
GROUP BY interaction.contact_id;

ANALYZE recomputed;

WITH due AS (
    SELECT
        contact.contact_id,
        quiet.dormant_since,
        CAST(:as_of AS date) - quiet.dormant_since AS inactive_days,
        (CAST(:step_names AS text[]))[
            width_bucket(
                CAST(:as_of AS date) - quiet.dormant_since, CAST(:step_days AS integer[])
            )
        ] AS step,
        contact.phone_hash,
        contact.first_source,
        contact.first_source_contact_id,
        recomputed.last_signal_on
    FROM core.contact AS contact
    LEFT JOIN recomputed ON contact.contact_id = recomputed.contact_id
    CROSS JOIN
        LATERAL (
            SELECT coalesce(recomputed.last_signal_on, contact.created_on) AS dormant_since
        ) AS quiet
    LEFT JOIN cohort.episode AS episode
        ON
            contact.contact_id = episode.contact_id
            AND quiet.dormant_since = episode.dormant_since
    WHERE
        quiet.dormant_since <= CAST(:as_of AS date) - CAST(:after_days AS integer)
        AND (
            episode.contact_id IS NULL
            OR (episode.closed_on IS NULL AND episode.next_due_on <= :as_of)
        )
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
                LEFT JOIN recomputed AS theirs ON other.contact_id = theirs.contact_id
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
