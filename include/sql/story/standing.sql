-- Where a contact stands: in which quiet spell, what was decided last, what became of the text, and
-- what comes next. What changes with the days (next step, dormancy) is only true of the latest
-- decided day: is_latest says whether as_of is that, or later, and the spell has not ended since.
-- Grain: one row, none for an unknown contact. Reads: core.*, cohort.*, outbox.*, outcome.*, each by
-- its contact. Writes nothing.
-- Parameters: contact_id, as_of (null: the latest decided day), at (the last instant of as_of in
-- the brand's zone; null: none), signals.
SELECT
    contact.contact_id,
    contact.status,
    contact.merged_into,
    latest.as_of AS latest_as_of,
    coalesce(CAST(:as_of AS date) >= latest.as_of, TRUE)
    AND coalesce(episode.closed_on <= CAST(:as_of AS date), TRUE) AS is_latest,
    (
        SELECT max(sign.occurred_on)
        FROM core.sign_of_life AS sign
        WHERE
            sign.contact_id = contact.contact_id
            AND sign.kind = ANY(CAST(:signals AS core.interaction_kind[]))
            AND sign.occurred_on <= coalesce(CAST(:as_of AS date), 'infinity')
    ) AS last_signal_on,
    dormancy.dormant_since AS clock_since,
    dormancy.behaviour,
    dormancy.reaches_on,
    episode.dormant_since,
    CASE
        WHEN episode.closed_on <= coalesce(CAST(:as_of AS date), 'infinity') THEN episode.closed_on
    END AS closed_on,
    episode.next_step,
    episode.next_due_on,
    episode.is_opened,
    episode.opened_on,
    episode.last_sent_on,
    episode.last_final_on,
    ended.label AS outcome,
    ended.sentence AS outcome_means,
    decision.as_of AS decided_on,
    decision.step,
    decision.action,
    reason.label AS reason,
    reason.sentence AS reason_means,
    message.accepted_at,
    CASE
        WHEN coalesce(CAST(:as_of AS date) >= latest.as_of, TRUE) AND message.status <> 'accepted'
            THEN message_word.label
    END AS message_said,
    suppressed.reason AS suppressed_reason,
    coalesce(suppressed_word.label, CAST(suppressed.reason AS text)) AS suppressed_for,
    EXISTS(
        SELECT 1
        FROM outbox.unread_reply AS reply
        WHERE
            reply.phone_hash = ANY(core.phone_hashes(contact.phone_hash))
            AND reply.received_at <= coalesce(CAST(:at AS timestamptz), 'infinity')
    ) AS is_unread
FROM core.contact AS contact
CROSS JOIN (SELECT max(day.as_of) AS as_of FROM cohort.day AS day) AS latest
LEFT JOIN cohort.dormancy AS dormancy ON contact.contact_id = dormancy.contact_id
LEFT JOIN
    LATERAL (
        SELECT spell.*
        FROM cohort.episode AS spell
        WHERE
            spell.contact_id = contact.contact_id
            AND spell.opened_on <= coalesce(CAST(:as_of AS date), 'infinity')
        ORDER BY spell.dormant_since DESC
        LIMIT 1
    ) AS episode
    ON TRUE
LEFT JOIN
    LATERAL (
        SELECT
            latest_one.as_of,
            latest_one.step,
            latest_one.action,
            latest_one.reason
        FROM cohort.decision AS latest_one
        WHERE
            latest_one.contact_id = contact.contact_id
            AND latest_one.dormant_since = episode.dormant_since
            AND latest_one.as_of <= coalesce(CAST(:as_of AS date), 'infinity')
        ORDER BY latest_one.as_of DESC
        LIMIT 1
    ) AS decision
    ON TRUE
LEFT JOIN outbox.message AS message
    ON
        contact.contact_id = message.contact_id
        AND episode.dormant_since = message.dormant_since
        AND decision.step = message.step
        AND decision.as_of = message.as_of
        AND decision.action = 'send'
LEFT JOIN outcome.ended AS ended
    ON contact.contact_id = ended.contact_id AND episode.dormant_since = ended.dormant_since
CROSS JOIN
    LATERAL (
        -- Resting is said only where nobody said stop: the first of the enum.
        SELECT min(held.reason) AS reason
        FROM core.contact_suppression AS held
        WHERE
            held.contact_id = contact.contact_id
            AND core.stands_at(held.since, NULL, coalesce(CAST(:at AS timestamptz), 'infinity'))
    ) AS suppressed
LEFT JOIN core.word AS suppressed_word
    ON
        suppressed_word.about = 'core.suppression_reason'
        AND CAST(suppressed.reason AS text) = suppressed_word.word
LEFT JOIN core.word AS reason
    ON reason.about = 'cohort.reason' AND CAST(decision.reason AS text) = reason.word
LEFT JOIN core.word AS message_word
    ON
        message_word.about = 'outbox.message_status'
        AND CAST(message.status AS text) = message_word.word
WHERE contact.contact_id = :contact_id;
