-- purpose: the contacts behind a cell of the day's table, without their phone numbers
-- grain: contact; reads: cohort.decision (by decision_by_day), core.contact,
--        core.source_ids, outbox.message
-- writes: nothing
-- parameters: day (date, brand's zone); step, action, reason (null: any); after (contact_id of
--             the last row of the page before, null: from the start); row_limit (null: all)
-- twice: it only reads
WITH cell AS (
    SELECT
        as_of,
        contact_id,
        dormant_since,
        inactive_days,
        step,
        action,
        reason,
        prior_sends,
        prior_opens
    FROM cohort.decision
    WHERE
        as_of = cast(:day AS date)
        AND (cast(:step AS text) IS NULL OR step = cast(:step AS text))
        AND (
            cast(:action AS cohort.action) IS NULL
            OR action = cast(:action AS cohort.action)
        )
        AND (
            cast(:reason AS cohort.reason) IS NULL
            OR reason = cast(:reason AS cohort.reason)
        )
        AND (cast(:after AS bigint) IS NULL OR contact_id > cast(:after AS bigint))
    -- "+ 0" keeps the planner from walking the primary key through every day to save this sort.
    ORDER BY contact_id + 0
    LIMIT cast(:row_limit AS bigint)
)

SELECT
    cell.contact_id,
    contact.first_name,
    left(contact.last_name, 1) AS last_initial,
    '•••• ' || right(contact.phone_e164, 2) AS phone,
    cell.dormant_since,
    cell.inactive_days,
    cell.step,
    cell.action,
    cell.reason,
    cell.prior_sends,
    cell.prior_opens,
    message.status AS message_status,
    named.ids AS source_ids
FROM cell
LEFT JOIN core.contact AS contact ON cell.contact_id = contact.contact_id
LEFT JOIN outbox.message AS message
    ON
        cell.contact_id = message.contact_id
        AND cell.dormant_since = message.dormant_since
        AND cell.step = message.step
        -- A message that never left may be drafted anew by a later day: it is that day's then.
        AND cell.as_of = message.as_of
        AND cell.action = 'send'
        AND message.channel = 'sms'
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = cell.contact_id
    ) AS named
    ON TRUE
ORDER BY cell.contact_id + 0;
