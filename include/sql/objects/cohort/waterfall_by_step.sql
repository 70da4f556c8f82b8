-- Each decided day by step. A stage is `dormant`, a value of cohort.reason, or
--   drafted    a text of this day stands: it was not called off
--   sent       handed to a provider, and not refused
--   delivered  the provider says that the handset has it
-- contacts: at the stage. left_over: still in the running below it. previous_contacts: of the day
-- that was decided before this one, null where there is none. A step that only one of the two days
-- has is there with 0 for the other. Everything is read for the days asked for alone, by index.
-- Grain: day, step and stage. Reads: cohort.day, cohort.decision, cohort.waterfall_stage,
-- outbox.message.
CREATE OR REPLACE VIEW cohort.waterfall_by_step AS
SELECT
    day.as_of,
    line.step,
    line.place,
    line.stage,
    line.action,
    line.contacts,
    line.left_over,
    before.as_of AS previous_as_of,
    CASE WHEN before.as_of IS NOT NULL THEN line.previous_contacts END AS previous_contacts,
    CASE WHEN before.as_of IS NOT NULL THEN line.contacts - line.previous_contacts END AS difference
FROM cohort.day AS day
CROSS JOIN
    LATERAL (
        SELECT max(earlier.as_of) AS as_of
        FROM cohort.day AS earlier
        WHERE earlier.as_of < day.as_of
    ) AS before
CROSS JOIN
    LATERAL (
        WITH decided AS (
            SELECT
                decision.step,
                CAST(decision.reason AS text) AS stage,
                max(decision.action) AS action,
                count(*) FILTER (WHERE decision.as_of = day.as_of) AS contacts,
                count(*) FILTER (WHERE decision.as_of < day.as_of) AS previous_contacts
            FROM cohort.decision AS decision
            WHERE decision.as_of = ANY(ARRAY[day.as_of, before.as_of])
            GROUP BY decision.step, decision.reason
        ),

        written AS (
            SELECT
                message.step,
                message.as_of = day.as_of AS is_this_day,
                count(*) AS drafted,
                count(*) FILTER (WHERE message.status NOT IN ('draft', 'queued', 'rejected')) AS sent,
                count(*) FILTER (WHERE message.status = 'delivered') AS delivered
            FROM outbox.message AS message
            WHERE
                message.as_of = ANY(ARRAY[day.as_of, before.as_of])
                AND message.status <> 'cancelled'
            GROUP BY message.step, message.as_of
        ),

        counted AS (
            SELECT
                decided.step,
                decided.stage,
                decided.action,
                decided.contacts,
                decided.previous_contacts
            FROM decided
            UNION ALL
            SELECT
                decided.step,
                'dormant',
                NULL,
                CAST(sum(decided.contacts) AS bigint),
                CAST(sum(decided.previous_contacts) AS bigint)
            FROM decided
            GROUP BY decided.step
            UNION ALL
            SELECT
                written.step,
                fate.stage,
                NULL,
                CAST(sum(fate.contacts) FILTER (WHERE written.is_this_day) AS bigint),
                CAST(sum(fate.contacts) FILTER (WHERE NOT written.is_this_day) AS bigint)
            FROM written
            CROSS JOIN
                LATERAL (
                    VALUES
                    ('drafted', written.drafted),
                    ('sent', written.sent),
                    ('delivered', written.delivered)
                ) AS fate (stage, contacts)
            GROUP BY written.step, fate.stage
        )

        SELECT
            steps.step,
            stages.place,
            stages.stage,
            counted.action,
            coalesce(counted.contacts, 0) AS contacts,
            coalesce(counted.previous_contacts, 0) AS previous_contacts,
            CASE
                WHEN stages.stage IN ('due', 'drafted', 'sent', 'delivered')
                    THEN coalesce(counted.contacts, 0)
                ELSE
                    CAST(
                        sum(
                            CASE
                                WHEN stages.stage = 'dormant' THEN coalesce(counted.contacts, 0)
                                ELSE -coalesce(counted.contacts, 0)
                            END
                        ) OVER (PARTITION BY steps.step ORDER BY stages.place) AS bigint
                    )
            END AS left_over
        FROM (SELECT DISTINCT decided.step FROM decided) AS steps
        CROSS JOIN cohort.waterfall_stage AS stages
        LEFT JOIN counted ON steps.step = counted.step AND stages.stage = counted.stage
    ) AS line;
