-- Days that have drawn a control group: each contact was due once, for the first step, and a tenth was
-- held back. Who was not has a text.
-- Grain: day; decision. Writes: cohort.day, cohort.episode, cohort.decision, outbox.message. Parameters:
-- draws (contacts in all), days, last_day, salt, share, step, after_days. Twice: refused by the primary
-- keys; it runs once in a database of its own.
INSERT INTO cohort.day (
    as_of, policy_version, decided_at, last_load_id, control_salt, control_share
)
SELECT
    CAST(:last_day AS date) - series.ago,
    'bench',
    CAST(CAST(:last_day AS date) - series.ago + 1 AS timestamp) AT TIME ZONE 'UTC',
    0,
    :salt,
    :share
FROM generate_series(0, CAST(:days AS integer) - 1) AS series (ago);

INSERT INTO cohort.decision (
    as_of, contact_id, dormant_since, inactive_days, step, prior_sends, prior_opens, action, reason,
    policy_version
)
SELECT
    drawn.as_of,
    drawn.contact_id,
    drawn.as_of - CAST(:after_days AS integer),
    :after_days,
    :step,
    0,
    0,
    CAST(CASE WHEN drawn.is_control THEN 'hold' ELSE 'send' END AS cohort.action),
    CAST(CASE WHEN drawn.is_control THEN 'control' ELSE 'due' END AS cohort.reason),
    'bench'
FROM (
    SELECT
        series.contact_id,
        CAST(:last_day AS date) - CAST(series.contact_id % CAST(:days AS integer) AS integer) AS as_of,
        (hashint8extended(series.contact_id, 23) & 1048575)
        < CAST(:share AS double precision) * 1048576 AS is_control
    FROM generate_series(1, CAST(:draws AS bigint)) AS series (contact_id)
) AS drawn;

INSERT INTO cohort.episode (contact_id, dormant_since, opened_on)
SELECT
    decision.contact_id,
    decision.dormant_since,
    decision.as_of
FROM cohort.decision AS decision
ON CONFLICT (contact_id, dormant_since) DO NOTHING;

INSERT INTO outbox.message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, encoding, segments,
    not_before, not_after, status, status_at, accepted_at, expected_price
)
SELECT
    decision.contact_id,
    CAST(md5('bench ' || decision.contact_id) AS uuid),
    decision.dormant_since,
    decision.step,
    'sms',
    decision.as_of,
    'bench',
    'GSM-7',
    1,
    sent.at,
    sent.at,
    'delivered',
    sent.at,
    sent.at,
    0.008
FROM cohort.decision AS decision
CROSS JOIN
    LATERAL (SELECT CAST(decision.as_of + 1 AS timestamp) AT TIME ZONE 'UTC' AS at) AS sent
WHERE decision.action = 'send';
