-- Decide every episode that is due: what to do, and why. The reasons are checked in the order of
-- cohort.reason; the first that applies is written. Control is asked last, so that both arms are made of
-- contacts who would otherwise be written to.
--
-- The caps let through, by caps_order: recent, the most recently active first; waiting, who has been
-- due longest first; shared, of each step its share, the most recently active first within it.
--
-- Grain: episode due on as_of. Reads: the temporary tables of cohort/due. Writes: cohort.decision, the
-- temporary table judged. Parameters: as_of, at (the last instant of as_of in the brand's zone), ladder,
-- expires_after_days, repeat_after_days, gap_days, daily_cap, warm_up_cap, caps_order, control_share,
-- control_salt, variants (how those of steps are drawn; NULL: no step has any), policy_version.
-- Twice: an episode is decided once a day (the primary key), and episode/advance moves its date.
DROP TABLE IF EXISTS judged;

CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
SELECT
    due.contact_id,
    due.dormant_since,
    due.inactive_days,
    due.step,
    due.position,
    held_contact.waits_since,
    coalesce(due.arm = 'control', FALSE)
    OR (
        due.arm IS NULL
        AND cohort.drawn_at(
            :control_salt || ':' || due.first_source || ':' || due.first_source_contact_id
        ) < CAST(:control_share AS double precision)
    ) AS is_control,
    -- A text that could not be made takes nobody's place under a cap.
    coalesce(held_contact.is_unwritable, FALSE) AS is_unwritable,
    coalesce(earlier.prior_sends, 0) AS prior_sends,
    coalesce(earlier.prior_opens, 0) AS prior_opens,
    CASE
        WHEN earlier.prior_opens > 0 THEN 'opened'
        WHEN
            NOT core.has_consent(
                agreed.granted_at,
                greatest(agreed.withdrawn_at, held_contact.stopped_at, held_number.stopped_at)
            )
            THEN 'no_consent'
        WHEN
            agreed.granted_at
            <= CAST(:at AS timestamptz)
            - make_interval(
                days => least(CAST(:expires_after_days AS integer), agreed.after_days)
            )
            THEN 'consent_expired'
        WHEN held_contact.is_suppressed OR held_number.is_suppressed THEN 'suppressed'
        WHEN held_number.is_unread THEN 'unread_reply'
        WHEN due.phone_e164 IS NULL THEN 'no_phone'
        WHEN NOT core.may_be_mobile(due.phone_kind) THEN 'not_mobile'
        WHEN
            texted.same_step_on > CAST(:as_of AS date) - CAST(:repeat_after_days AS integer)
            THEN 'repeat'
        WHEN held_number.is_crowded THEN 'duplicate_phone'
        WHEN
            (held_number.holder_signal_on, -held_number.holder_id)
            > (coalesce(due.last_signal_on, '-infinity'), -due.contact_id)
            THEN 'duplicate_phone'
        WHEN texted.last_on > CAST(:as_of AS date) - CAST(:gap_days AS integer) THEN 'gap'
    END AS obstacle
FROM due
LEFT JOIN earlier ON due.contact_id = earlier.contact_id
LEFT JOIN texted ON due.contact_id = texted.contact_id
LEFT JOIN agreed ON due.contact_id = agreed.contact_id
LEFT JOIN held_contact ON due.contact_id = held_contact.contact_id
LEFT JOIN held_number ON due.phone_hash = held_number.phone_hash;

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

-- Which of the two variants of their step, by a hash of its own: it says nothing of the control group.
-- Control is drawn into one as well, as both groups are.
drawn AS (
    SELECT
        due.contact_id,
        coalesce(drawn_before.variant, one.variant) AS variant
    FROM due
    INNER JOIN
        jsonb_to_recordset(CAST(:variants AS jsonb)) AS one (
            draw text,
            step text,
            variant text,
            from_share double precision,
            to_share double precision
        )
        ON due.step = one.step
    CROSS JOIN
        LATERAL (
            SELECT
                cohort.drawn_at(
                    :control_salt || ':' || one.draw || ':' || due.first_source || ':'
                    || due.first_source_contact_id
                ) AS share
        ) AS place
    LEFT JOIN drawn_before ON due.contact_id = drawn_before.contact_id
    WHERE place.share >= one.from_share AND place.share < one.to_share
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
    reason, is_final, policy_version, variant
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
    NOT cohort.passes_by_waiting(CAST(concluded.reason AS cohort.reason)) AS is_final,
    :policy_version,
    CASE WHEN concluded.reason IN ('due', 'control') THEN drawn.variant END AS variant
FROM concluded
LEFT JOIN drawn ON concluded.contact_id = drawn.contact_id
ON CONFLICT (contact_id, as_of) DO NOTHING;
