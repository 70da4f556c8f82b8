-- Open an episode for every contact that has reached the first step and has none for this dormancy
-- yet. A contact that was missed for days is opened late, never left out. An episode that was closed
-- by a return which its source took back since goes on where it stood.
-- Grain: contact × dormant_since. Reads: cohort.dormancy, core.contact_activity, core.contact,
-- cohort.decision.
-- Writes: cohort.episode, cohort.dormancy, outcome.contact_outcome. Parameters: as_of, ladder,
-- is_in_order.
-- Twice: a contact with an episode is not looked at again.
WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

reached AS (
    SELECT
        dormancy.contact_id,
        dormancy.dormant_since,
        dormancy.behaviour,
        dormancy.pace,
        contact.merged_into IS NULL AND contact.status <> 'erased' AS is_somebody
    FROM cohort.dormancy AS dormancy
    INNER JOIN core.contact_activity AS activity ON dormancy.contact_id = activity.contact_id
    INNER JOIN core.contact AS contact ON dormancy.contact_id = contact.contact_id
    WHERE
        dormancy.reaches_on <= :as_of
        AND activity.visible_on <= :as_of
        -- One ladder at a time: a policy that moves the date under an open one waits for its end.
        AND NOT EXISTS (
            SELECT 1
            FROM cohort.episode AS climbing
            WHERE climbing.contact_id = dormancy.contact_id AND climbing.closed_on IS NULL
        )
),

opened AS (
    INSERT INTO cohort.episode AS episode (
        contact_id, dormant_since, behaviour, pace, opened_on, next_due_on
    )
    SELECT
        reached.contact_id,
        reached.dormant_since,
        reached.behaviour,
        reached.pace,
        :as_of,
        :as_of
    FROM reached
    WHERE reached.is_somebody
    ON CONFLICT (contact_id, dormant_since) DO UPDATE
        SET
            returned_on = NULL,
            closed_on = NULL,
            pace = excluded.pace,
            -- From what is used up, by the ladder of this day.
            (done_position, last_position, next_step, next_due_on) = (
                SELECT
                    stood.position,
                    stood.position,
                    next.step,
                    CASE
                        WHEN next.step IS NOT NULL
                            THEN greatest(
                                CAST(:as_of AS date),
                                excluded.dormant_since + next.days,
                                CASE
                                    WHEN CAST(:is_in_order AS boolean)
                                        THEN stood.as_of + next.days - stood.days
                                END
                            )
                    END
                FROM (
                    SELECT
                        max(taken.as_of) AS as_of,
                        (array_agg(taken.days ORDER BY taken.as_of DESC))[1] AS days,
                        coalesce(max(taken.position), 0) AS position
                    FROM (
                        SELECT
                            decision.as_of,
                            CASE
                                WHEN this.step IS NOT NULL
                                    THEN greatest(
                                        1, CAST(round(this.days * excluded.pace) AS integer)
                                    )
                            END AS days,
                            coalesce(
                                this.position,
                                (
                                    SELECT max(over.position)
                                    FROM rung AS over
                                    WHERE
                                        over.behaviour = excluded.behaviour
                                        AND round(over.days * excluded.pace)
                                        <= decision.inactive_days
                                )
                            ) AS position
                        FROM cohort.decision AS decision
                        LEFT JOIN rung AS this
                            ON
                                decision.step = this.step
                                AND this.behaviour = excluded.behaviour
                        WHERE
                            decision.contact_id = excluded.contact_id
                            AND decision.dormant_since = excluded.dormant_since
                            AND (
                                decision.action IN ('send', 'skip')
                                OR decision.reason = 'control'
                            )
                    ) AS taken
                ) AS stood
                LEFT JOIN (
                    SELECT
                        rung.step,
                        rung.position,
                        greatest(1, CAST(round(rung.days * excluded.pace) AS integer)) AS days
                    FROM rung
                    WHERE rung.behaviour = excluded.behaviour
                ) AS next ON stood.position + 1 = next.position
            )
        WHERE
        episode.closed_on IS NOT NULL
        AND episode.returned_on IS NOT NULL
        AND episode.behaviour = excluded.behaviour
    RETURNING episode.contact_id, episode.dormant_since
),

forgotten AS (
    DELETE FROM outcome.contact_outcome AS contact_outcome
    USING opened
    WHERE
        contact_outcome.contact_id = opened.contact_id
        AND contact_outcome.dormant_since = opened.dormant_since
)

UPDATE cohort.dormancy AS dormancy
SET reaches_on = NULL
FROM reached
WHERE dormancy.contact_id = reached.contact_id;
