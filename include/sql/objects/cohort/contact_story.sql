-- Everything that explains why a contact did or did not get something, an event a row. Ask for one
-- contact: every branch has an index that leads with it.
--   at      when; null where only the day is known
--   on_day  the brand's day that it counts for; null where a time says it, as the view knows no zone
--   place   the order of events of one moment
--   kind    contact, identity, consent, withdrawal, suppression, lifted, signal, episode, decision,
--           gate, message, receipt, open (a human), fetch (a machine, or who knows), answer, entry,
--           reply, coupon, outcome
-- No name, number, address, text, ticket or code of a person is in it: of what somebody wrote in
-- their own words, only that they did.
-- Grain: contact and event. Reads: core.*, cohort.*, outbox.*, outcome.ended, raw.load.
CREATE OR REPLACE VIEW cohort.contact_story AS
SELECT
    contact.contact_id,
    CAST(NULL AS timestamptz) AS at,
    contact.created_on AS on_day,
    1 AS place,
    'contact' AS kind,
    'Registered' AS what,
    CAST(NULL AS text) AS detail,
    CAST(NULL AS uuid) AS message_id
FROM core.contact AS contact
WHERE contact.created_on IS NOT NULL
UNION ALL
SELECT
    identity.contact_id,
    NULL,
    coalesce(load.as_of, contact.first_seen_on),
    2,
    'identity',
    'First named in the data of ' || identity.source,
    CASE
        WHEN identity.original_contact_id <> identity.contact_id
            THEN
                'Until it was found to be the same person, this was contact '
                || identity.original_contact_id || '; its earlier texts are listed there.'
    END,
    NULL
FROM core.contact_identity AS identity
INNER JOIN core.contact AS contact ON identity.contact_id = contact.contact_id
LEFT JOIN raw.load AS load ON identity.load_id = load.load_id
UNION ALL
SELECT
    consent.contact_id,
    said.at,
    NULL,
    3,
    said.kind,
    said.what || consent.purpose || ' by ' || upper(consent.channel),
    'From ' || consent.source || coalesce(', basis: ' || translate(consent.basis, '_', ' '), '') || '.'
    || coalesce(' Wording: “' || consent.wording || '”', ''),
    NULL
FROM core.consent AS consent
CROSS JOIN
    LATERAL (
        VALUES
        ('consent', consent.granted_at, 'Agreed to '),
        ('withdrawal', consent.withdrawn_at, 'Took back the consent to ')
    ) AS said (kind, at, what)
WHERE said.at IS NOT NULL
UNION ALL
SELECT
    suppression.contact_id,
    change.at,
    NULL,
    9,
    change.kind,
    change.what || lower(coalesce(word.label, CAST(suppression.reason AS text))),
    coalesce(noted.label, 'Noted by ' || suppression.source) || '.',
    NULL
FROM core.suppression AS suppression
LEFT JOIN core.word AS noted
    ON noted.about = 'core.suppression_source' AND suppression.source = noted.word
LEFT JOIN core.word AS word
    ON
        word.about = 'core.suppression_reason'
        AND CAST(suppression.reason AS text) = word.word
CROSS JOIN
    LATERAL (
        VALUES
        ('suppression', suppression.since, 'On the do-not-contact list: '),
        ('lifted', suppression.lifted_at, 'Off the do-not-contact list again: no longer ')
    ) AS change (kind, at, what)
WHERE change.at IS NOT NULL
UNION ALL
-- What stands for the number, by another contact who has or had it.
SELECT
    contact.contact_id,
    suppression.since,
    NULL,
    9,
    'suppression',
    'Their number is on the do-not-contact list: '
    || lower(coalesce(word.label, CAST(suppression.reason AS text))),
    coalesce(noted.label, 'Noted by ' || suppression.source) || ', for whoever has the number.',
    NULL
FROM core.contact AS contact
INNER JOIN core.suppressed_number AS suppression
    ON
        suppression.phone_hash = ANY(core.phone_hashes(contact.phone_hash))
        AND contact.contact_id <> suppression.contact_id
LEFT JOIN core.word AS noted
    ON noted.about = 'core.suppression_source' AND suppression.source = noted.word
LEFT JOIN core.word AS word
    ON
        word.about = 'core.suppression_reason'
        AND CAST(suppression.reason AS text) = word.word
WHERE
    NOT EXISTS (
        SELECT 1
        FROM core.suppression AS own
        WHERE
            own.contact_id = contact.contact_id
            AND own.channel = suppression.channel
            AND own.reason = suppression.reason
            AND own.lifted_at IS NULL
    )
UNION ALL
SELECT
    interaction.contact_id,
    interaction.occurred_at,
    interaction.occurred_on,
    4,
    'signal',
    coalesce(word.label, CAST(interaction.kind AS text)),
    coalesce(
        to_char(interaction.amount, 'FM999,999,999,990.00') || coalesce(' ' || interaction.currency, '')
        || ', ', ''
    ) || 'from ' || interaction.source
    || CASE WHEN interaction.source = 'sandbox' THEN ' (invented by the simulation)' ELSE '' END,
    NULL
FROM core.interaction AS interaction
LEFT JOIN core.word AS word
    ON word.about = 'core.interaction_kind' AND CAST(interaction.kind AS text) = word.word
UNION ALL
SELECT
    episode.contact_id,
    day.decided_at,
    episode.opened_on,
    5,
    'episode',
    'Quiet since ' || to_char(episode.dormant_since, 'FMDD Mon YYYY') || ': the journey begins',
    concat_ws(
        ' ',
        CASE
            WHEN episode.behaviour <> 'any'
                THEN 'Counted by the clock “' || episode.behaviour || '”.'
        END,
        CASE
            WHEN episode.pace <> 1
                THEN
                    'At their own pace: the policy''s days times '
                    || to_char(episode.pace, 'FM990.09') || '.'
        END
    ),
    NULL
FROM cohort.episode AS episode
LEFT JOIN cohort.day AS day ON episode.opened_on = day.as_of
UNION ALL
SELECT
    decision.contact_id,
    day.decided_at,
    decision.as_of,
    6,
    'decision',
    'Due for the ' || decision.step || ' on ' || to_char(decision.as_of, 'FMDD Mon YYYY') || ': '
    || lower(coalesce(word.label, CAST(decision.reason AS text))),
    concat_ws(' ', decision.inactive_days || ' days quiet.', word.sentence),
    NULL
FROM cohort.decision AS decision
LEFT JOIN cohort.day AS day ON decision.as_of = day.as_of
LEFT JOIN core.word AS word
    ON word.about = 'cohort.reason' AND CAST(decision.reason AS text) = word.word
UNION ALL
-- Only where it is what held this contact back.
SELECT
    decision.contact_id,
    gate.judged_at,
    decision.as_of,
    7,
    'gate',
    'The texts of ' || to_char(decision.as_of, 'FMDD Mon YYYY') || ' were stopped: '
    || lower(coalesce(word.label, gate.gate)),
    gate.said,
    NULL
FROM cohort.decision AS decision
INNER JOIN cohort.day AS day
    ON decision.as_of = day.as_of AND CAST(decision.reason AS text) = day.stopped_by
INNER JOIN cohort.gate AS gate ON day.as_of = gate.as_of AND day.stopped_by = gate.gate
LEFT JOIN core.word AS word ON word.about = 'cohort.reason' AND gate.gate = word.word
UNION ALL
SELECT
    message.contact_id,
    stage.at,
    stage.on_day,
    stage.place,
    'message',
    'Text of the ' || message.step || coalesce(', version ' || message.variant, '') || ': ' || CASE
        WHEN stage.status = 'accepted' THEN 'handed to ' || coalesce(message.provider, 'the provider')
        ELSE lower(coalesce(word.label, stage.status))
    END,
    CASE
        -- What it means to be on its way is of no interest once it has arrived.
        WHEN stage.status = CAST(message.status AS text)
            THEN concat_ws(' ', word.sentence, 'Code: ' || message.error_code || '.')
    END,
    message.message_id
FROM outbox.message AS message
CROSS JOIN
    LATERAL (
        VALUES
        (8, 'accepted', message.as_of, message.accepted_at),
        (
            9,
            CAST(message.status AS text),
            NULL,
            CASE
                WHEN message.status = 'accepted' THEN NULL
                WHEN message.status = 'delivered' THEN coalesce(message.delivered_at, message.status_at)
                ELSE message.status_at
            END
        )
    ) AS stage (place, status, on_day, at)
LEFT JOIN core.word AS word
    ON word.about = 'outbox.message_status' AND stage.status = word.word
WHERE stage.at IS NOT NULL
UNION ALL
SELECT
    message.contact_id,
    receipt.occurred_at,
    NULL,
    10,
    'receipt',
    receipt.provider || ' reported on the ' || message.step || ': '
    || lower(coalesce(word.label, CAST(receipt.status AS text))),
    'Their code: ' || receipt.raw_code || '.',
    message.message_id
FROM outbox.message AS message
INNER JOIN outbox.receipt AS receipt
    ON
        message.provider = receipt.provider
        AND CAST(message.message_id AS text) = receipt.message_id
LEFT JOIN core.word AS word
    ON word.about = 'outbox.message_status' AND CAST(receipt.status AS text) = word.word
UNION ALL
SELECT
    hit.contact_id,
    hit.at,
    NULL,
    -- What is done at once is done in this order.
    CASE hit.kind WHEN 'view' THEN 11 WHEN 'beacon' THEN 12 ELSE 13 END,
    CASE WHEN hit.verdict = 'human' OR hand.is_theirs THEN 'open' ELSE 'fetch' END,
    CASE
        WHEN hit.verdict = 'machine'
            THEN 'The link of the ' || message.step || ' was fetched by a machine'
        WHEN hit.verdict = 'unsure' AND NOT hand.is_theirs
            THEN 'The link of the ' || message.step || ' was fetched, nobody knows by whom'
        WHEN hit.kind = 'press' THEN 'Pressed a button on the page of the ' || message.step
        WHEN hit.kind = 'beacon' THEN 'Touched the page of the ' || message.step
        ELSE 'Clicked the link of the ' || message.step
    END,
    CASE
        WHEN hit.verdict = 'human' OR hand.is_theirs THEN 'A person.'
        WHEN hit.verdict = 'machine'
            THEN 'A preview or a scanner: it does not count as a click.'
        ELSE 'Too little to tell: it does not count as a click, and nobody is given up over it.'
    END,
    hit.message_id
FROM outbox.judged_hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
-- Alone a fetch is too little to tell, where no address says whose it was; not with a hand on the page
-- that it showed, right after and by the same browser. What counts as a click is that hand's.
CROSS JOIN
    LATERAL (
        SELECT
            hit.verdict = 'unsure'
            AND EXISTS (
                SELECT 1
                FROM outbox.hit AS own
                INNER JOIN outbox.hit AS after
                    ON
                        own.contact_id = after.contact_id
                        AND own.code = after.code
                        AND own.user_agent = after.user_agent
                INNER JOIN outbox.judged_hit AS judged
                    ON after.contact_id = judged.contact_id AND after.hit_id = judged.hit_id
                WHERE
                    own.contact_id = hit.contact_id
                    AND own.hit_id = hit.hit_id
                    AND after.hit_id <> hit.hit_id
                    AND after.kind <> 'view'
                    AND after.at >= hit.at
                    AND after.at < hit.at + interval '30 minutes'
                    AND judged.verdict = 'human'
            ) AS is_theirs
    ) AS hand
UNION ALL
-- In the words of the questions as they were asked; a survey from before they were kept, by name.
SELECT
    survey.contact_id,
    said.at,
    NULL,
    14,
    'answer',
    said.what || survey.step,
    CASE
        WHEN said.at = survey.changed_at
            THEN (
                SELECT
                    string_agg(
                        coalesce(asked.words ->> 'question', answer.key) || ' '
                        || coalesce(
                            '“' || CASE
                                WHEN asked.words IS NOT NULL THEN asked.words ->> 'answer'
                                WHEN answer.value #>> '{}' ~ '^[a-z][a-z0-9_]*$|^[0-9]+$'
                                    THEN answer.value #>> '{}'
                                WHEN jsonb_typeof(answer.value) = 'array'
                                    THEN translate(answer.value #>> '{}', '[]"', '')
                            END || '”',
                            'In their own words.'
                        ),
                        ' '
                        ORDER BY CAST(asked.words ->> 'place' AS integer), answer.key
                    )
                FROM jsonb_each(survey.answers) AS answer
                CROSS JOIN LATERAL (SELECT survey.words -> answer.key AS words) AS asked
            )
    END,
    survey.message_id
FROM outbox.survey AS survey
CROSS JOIN
    LATERAL (
        VALUES
        (survey.answered_at, 'Answered the questions of the '),
        (
            CASE WHEN survey.changed_at > survey.answered_at THEN survey.changed_at END,
            'Changed their answers to the '
        )
    ) AS said (at, what)
WHERE said.at IS NOT NULL
UNION ALL
SELECT
    entry.contact_id,
    said.at,
    NULL,
    14,
    'entry',
    said.what,
    said.detail,
    entry.message_id
FROM outbox.contest_entry AS entry
LEFT JOIN outbox.contest AS contest ON entry.contest = contest.contest
CROSS JOIN LATERAL (SELECT '“' || replace(entry.contest, '_', ' ') || '”' AS name) AS named
CROSS JOIN
    LATERAL (
        VALUES
        (
            entry.entered_at,
            'Entered the contest ' || named.name,
            concat_ws(
                ' ',
                'Confirmed to be ' || (entry.confirmed ->> 'age') || ' or older.',
                'Entries are taken until '
                || to_char(CAST(entry.confirmed ->> 'closes_on' AS date), 'FMDD Mon YYYY') || '.'
            )
        ),
        (
            CASE WHEN entry.place IS NOT NULL THEN contest.drawn_at END,
            'The contest ' || named.name || ' was drawn: '
            || CASE
                WHEN entry.place <= contest.winners THEN 'they won'
                ELSE 'they did not win'
            END,
            'Place ' || entry.place || ' of ' || contest.entries || '.'
        )
    ) AS said (at, what, detail)
WHERE said.at IS NOT NULL
UNION ALL
SELECT
    number.contact_id,
    reply.received_at,
    NULL,
    11,
    'reply',
    coalesce(word.label, CAST(reply.meaning AS text)),
    word.sentence,
    NULL
FROM (
    SELECT
        contact.contact_id,
        contact.phone_hash
    FROM core.contact AS contact
    WHERE contact.phone_hash IS NOT NULL
    UNION
    SELECT
        message.contact_id,
        message.phone_hash
    FROM outbox.message AS message
) AS number
INNER JOIN outbox.reply AS reply ON reply.phone_hash = ANY(core.phone_hashes(number.phone_hash))
LEFT JOIN core.word AS word
    ON word.about = 'outbox.reply_meaning' AND CAST(reply.meaning AS text) = word.word
UNION ALL
SELECT
    coupon.contact_id,
    change.at,
    change.on_day,
    change.place,
    'coupon',
    change.what,
    change.detail,
    coupon.message_id
FROM outbox.coupon AS coupon
INNER JOIN outbox.message AS message
    ON coupon.contact_id = message.contact_id AND coupon.message_id = message.message_id
LEFT JOIN cohort.day AS day ON message.as_of = day.as_of
CROSS JOIN
    LATERAL (
        SELECT
            trim_scale(coupon.value)
            || CASE coupon.kind WHEN 'percent' THEN ' percent off' ELSE ' off' END
            || coalesce(', from an order of ' || trim_scale(coupon.minimum) || ' on', '')
            || '.' AS offer
    ) AS said
CROSS JOIN
    LATERAL (
        VALUES
        (
            7,
            CASE WHEN coupon.role = 'coupon' THEN day.decided_at END,
            CASE WHEN coupon.role = 'coupon' THEN message.as_of END,
            'A coupon was made for the text of the ' || message.step,
            said.offer
        ),
        (
            12,
            CASE WHEN coupon.role = 'incentive' THEN coupon.made_at END,
            NULL,
            'Given a coupon for finishing the page of the ' || message.step,
            said.offer
        ),
        (
            12,
            coupon.redeemed_at,
            NULL,
            'Used the ' || coupon.role || ' of the ' || message.step,
            'Order ' || coupon.order_ref || '.'
        )
    ) AS change (place, at, on_day, what, detail)
WHERE change.at IS NOT NULL OR change.on_day IS NOT NULL
UNION ALL
-- A code that was passed on, or used outside of what was promised.
SELECT
    use.given_to,
    use.occurred_at,
    use.occurred_on,
    15,
    'coupon',
    CASE
        WHEN use.is_counted THEN 'Noted on the use of the ' || use.role || ' of the ' || message.step
        ELSE 'The ' || use.role || ' of the ' || message.step || ' was used again'
    END,
    concat_ws(
        ' ',
        'Order ' || use.order_ref || '.',
        CASE
            WHEN use.contact_id <> use.given_to AND keeper.merged_into IS DISTINCT FROM use.contact_id
                THEN 'By contact ' || use.contact_id || '.'
        END,
        CASE WHEN use.is_late THEN 'After it had ended.' END,
        CASE WHEN use.is_early THEN 'Before it began.' END,
        CASE WHEN use.is_small THEN 'For less than its minimum.' END
    ),
    use.message_id
FROM outbox.redemption AS use
INNER JOIN outbox.message AS message
    ON use.given_to = message.contact_id AND use.message_id = message.message_id
INNER JOIN core.contact AS keeper ON use.given_to = keeper.contact_id
WHERE
    NOT use.is_counted
    OR use.is_late
    OR use.is_early
    OR use.is_small
    OR (use.contact_id <> use.given_to AND keeper.merged_into IS DISTINCT FROM use.contact_id)
UNION ALL
SELECT
    episode.contact_id,
    NULL,
    episode.closed_on,
    15,
    'outcome',
    'The quiet spell ended' || coalesce(': ' || lower(ended.label), ''),
    ended.sentence,
    NULL
FROM cohort.episode AS episode
LEFT JOIN outcome.ended AS ended
    ON episode.contact_id = ended.contact_id AND episode.dormant_since = ended.dormant_since
WHERE episode.closed_on IS NOT NULL;
