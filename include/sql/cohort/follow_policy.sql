-- The ladder changed: open episodes follow the new one, from where they stand on it.
-- A step keeps its place by its name; of one that is gone, every rung counts as passed whose days
-- were over when it was decided. What was held for good is not looked at again for
-- the ladder's sake, unless the card, the consent or a suppression has changed since (their own, or
-- another's that held them), a reply was read, or it now comes after a step that waits. A clock that is gone hands over to the first that is left.
-- Grain: open episode. Reads: cohort.dormancy, cohort.decision, cohort.day, core.contact,
-- core.consent, core.suppression, core.stop_tie, core.phone_alias, outbox.reply. Writes: cohort.episode, core.derived_from.
-- Parameters: as_of, ladder, ladder_text, is_in_order. Twice: the same values.
WITH rung AS (
    SELECT
        known.behaviour,
        known.step,
        known.position,
        known.days,
        row_number() OVER () AS place
    FROM
        jsonb_to_recordset(CAST(:ladder AS jsonb)) AS known (
            behaviour text, step text, position integer, days double precision
        )
),

-- When suppressions were lifted last, or replies read, by contact and by number.
lifted AS (
    SELECT
        change.contact_id,
        change.phone_hash,
        max(change.at) AS lifted_at
    FROM (
        SELECT
            suppression.contact_id,
            suppression.phone_hash,
            suppression.lifted_at AS at
        FROM core.suppression AS suppression
        WHERE suppression.lifted_at IS NOT NULL
        UNION ALL
        SELECT
            tie.contact_id,
            NULL AS phone_hash,
            suppression.lifted_at AS at
        FROM core.suppression AS suppression
        INNER JOIN core.stop_tie AS tie ON suppression.contact_id = tie.by_contact_id
        WHERE suppression.lifted_at IS NOT NULL
        UNION ALL
        SELECT
            NULL AS contact_id,
            reply.phone_hash,
            reply.reviewed_at AS at
        FROM outbox.reply AS reply
        WHERE reply.meaning <> 'stop' AND reply.reviewed_at IS NOT NULL
    ) AS change
    GROUP BY GROUPING SETS ((change.contact_id), (change.phone_hash))
),

-- The same, of another spelling of the number.
lifted_alias AS (
    SELECT
        alias.alias_hash AS phone_hash,
        max(lifted.lifted_at) AS lifted_at
    FROM lifted
    INNER JOIN core.phone_alias AS alias ON lifted.phone_hash = alias.phone_hash
    GROUP BY alias.alias_hash
),

-- Who has ever withdrawn, and the load that brought their last consent: it may have ended what held
-- others, who are tied to them or have their number.
agreed AS (
    SELECT
        consent.contact_id,
        max(consent.load_id) AS load_id
    FROM core.consent AS consent
    WHERE
        EXISTS (
            SELECT 1
            FROM core.consent AS past
            WHERE past.contact_id = consent.contact_id AND past.withdrawn_at IS NOT NULL
        )
    GROUP BY consent.contact_id
),

agreed_elsewhere AS (
    SELECT
        tie.contact_id,
        max(agreed.load_id) AS load_id
    FROM agreed
    INNER JOIN core.stop_tie AS tie ON agreed.contact_id = tie.by_contact_id
    GROUP BY tie.contact_id
),

agreed_number AS (
    SELECT
        form.phone_hash,
        max(agreed.load_id) AS load_id
    FROM agreed
    INNER JOIN core.contact AS holder ON agreed.contact_id = holder.contact_id
    CROSS JOIN LATERAL unnest(core.phone_hashes(holder.phone_hash)) AS form (phone_hash)
    GROUP BY form.phone_hash
),

-- Open episodes, and what changed last that may have stood in the way.
open AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        episode.last_step,
        episode.is_waiting,
        greatest(
            contact.updated_load_id,
            consented.load_id,
            agreed_elsewhere.load_id,
            agreed_number.load_id
        ) AS changed_load_id,
        greatest(own.lifted_at, numbers.lifted_at, spelled.lifted_at) AS lifted_at,
        coalesce(dormancy.pace, episode.pace) AS pace,
        coalesce(
            clock.behaviour,
            (SELECT (array_agg(rung.behaviour ORDER BY rung.place))[1] FROM rung)
        ) AS behaviour
    FROM cohort.episode AS episode
    LEFT JOIN cohort.dormancy AS dormancy
        ON
            episode.contact_id = dormancy.contact_id
            AND episode.dormant_since = dormancy.dormant_since
    LEFT JOIN (SELECT DISTINCT rung.behaviour FROM rung) AS clock
        ON episode.behaviour = clock.behaviour
    INNER JOIN core.contact AS contact ON episode.contact_id = contact.contact_id
    CROSS JOIN
        LATERAL (
            SELECT max(consent.load_id) AS load_id
            FROM core.consent AS consent
            WHERE consent.contact_id = episode.contact_id
        ) AS consented
    LEFT JOIN agreed_elsewhere ON episode.contact_id = agreed_elsewhere.contact_id
    LEFT JOIN agreed_number ON contact.phone_hash = agreed_number.phone_hash
    LEFT JOIN lifted AS own ON episode.contact_id = own.contact_id
    LEFT JOIN lifted AS numbers ON contact.phone_hash = numbers.phone_hash
    LEFT JOIN lifted_alias AS spelled ON contact.phone_hash = spelled.phone_hash
    WHERE episode.closed_on IS NULL
),

-- Their decisions that passed a rung: for good, or until what stood in the way may be gone.
taken AS (
    SELECT
        open.contact_id,
        open.dormant_since,
        decision.as_of,
        CASE
            WHEN this.step IS NOT NULL
                THEN greatest(1, CAST(round(this.days * open.pace) AS integer))
        END AS days,
        decision.action IN ('send', 'skip') OR decision.reason = 'control' AS is_done,
        coalesce(
            this.position,
            (
                SELECT max(over.position)
                FROM rung AS over
                WHERE
                    over.behaviour = open.behaviour
                    AND round(over.days * open.pace) <= decision.inactive_days
            ),
            0
        ) AS position
    FROM open
    INNER JOIN cohort.decision AS decision
        ON
            open.contact_id = decision.contact_id
            AND open.dormant_since = decision.dormant_since
    LEFT JOIN cohort.day AS day ON decision.as_of = day.as_of
    LEFT JOIN rung AS this
        ON open.behaviour = this.behaviour AND decision.step = this.step
    WHERE
        decision.is_final
        AND (
            decision.action <> 'hold'
            OR decision.reason = 'control'
            OR (
                (open.changed_load_id > day.last_load_id) IS NOT TRUE
                AND (open.lifted_at > day.decided_at) IS NOT TRUE
            )
        )
),

stood AS (
    SELECT
        taken.contact_id,
        taken.dormant_since,
        max(taken.position) AS position,
        max(taken.position) FILTER (WHERE taken.is_done) AS done_position,
        max(taken.as_of) AS as_of,
        (array_agg(taken.days ORDER BY taken.as_of DESC))[1] AS days
    FROM taken
    GROUP BY taken.contact_id, taken.dormant_since
),

placed AS (
    SELECT
        open.contact_id,
        open.dormant_since,
        open.behaviour,
        open.pace,
        stood.as_of,
        stood.days,
        coalesce(stood.done_position, 0) AS done_position,
        -- Held back by what passes: the same rung again, if it is still there.
        CASE
            WHEN open.is_waiting AND same.position IS NOT NULL
                THEN greatest(coalesce(stood.done_position, 0), same.position - 1)
            ELSE coalesce(stood.position, 0)
        END AS last_position
    FROM open
    LEFT JOIN stood
        ON open.contact_id = stood.contact_id AND open.dormant_since = stood.dormant_since
    LEFT JOIN rung AS same
        ON open.behaviour = same.behaviour AND open.last_step = same.step
)

UPDATE cohort.episode AS episode
SET
    behaviour = placed.behaviour,
    pace = placed.pace,
    done_position = placed.done_position,
    last_position = placed.last_position,
    next_step = next.step,
    next_due_on = CASE
        WHEN next.step IS NOT NULL
            THEN greatest(
                CAST(:as_of AS date),
                episode.dormant_since + greatest(1, CAST(round(next.days * placed.pace) AS integer)),
                CASE
                    WHEN CAST(:is_in_order AS boolean)
                        THEN
                            placed.as_of
                            + greatest(1, CAST(round(next.days * placed.pace) AS integer))
                            - placed.days
                END
            )
    END
FROM placed
LEFT JOIN rung AS next
    ON placed.behaviour = next.behaviour AND next.position = placed.last_position + 1
WHERE
    episode.contact_id = placed.contact_id
    AND episode.dormant_since = placed.dormant_since;

INSERT INTO core.derived_from (name, value)
VALUES ('ladder', :ladder_text)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
