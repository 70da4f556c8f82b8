-- What became of those whose window ends, or has ended lately: a return is the first signal after they
-- were drawn, of the kinds that the experiment takes; revenue is what they spent from then on, or from
-- their first purchase, less what they gave back, and never less than nothing; cost is of the texts
-- decided in the window. A contact that was merged came back where the one that is left did.
--
-- Each is counted when the shorter and the longer window end, and again_days more, for what is late.
--
-- Grain: contact × salt. Reads: outcome.experiment, core.*, outbox.message. Writes: outcome.eligible.
-- Parameters: through (the day through which the sources are complete), again_days. Twice: the same.
UPDATE outcome.eligible AS eligible
SET
    returned_on = counted.returned_on,
    step_revenue = counted.step_revenue,
    ladder_revenue = counted.ladder_revenue,
    step_cost = counted.step_cost,
    ladder_cost = counted.ladder_cost,
    counted_on = CAST(:through AS date),
    count_on = CASE
        WHEN CAST(:through AS date) < counted.shorter_on + CAST(:again_days AS integer)
            THEN CAST(:through AS date) + 1
        WHEN CAST(:through AS date) < counted.longer_on THEN counted.longer_on
        WHEN CAST(:through AS date) < counted.longer_on + CAST(:again_days AS integer)
            THEN CAST(:through AS date) + 1
    END
FROM (
    SELECT
        due.contact_id,
        due.salt,
        due.eligible_on + least(experiment.attribution_days, experiment.horizon_days) AS shorter_on,
        due.eligible_on + greatest(experiment.attribution_days, experiment.horizon_days)
            AS longer_on,
        back.returned_on,
        back.step_revenue,
        back.ladder_revenue,
        texts.step_cost,
        texts.ladder_cost
    FROM outcome.eligible AS due
    INNER JOIN outcome.experiment AS experiment ON due.salt = experiment.salt
    INNER JOIN core.contact AS contact ON due.contact_id = contact.contact_id
    CROSS JOIN
        LATERAL (
            SELECT
                min(done.returned_on) AS returned_on,
                greatest(
                    coalesce(
                        sum(done.amount) FILTER (
                            WHERE
                            done.occurred_on >= done.spent_on
                            AND done.occurred_on <= due.eligible_on + experiment.attribution_days
                        ), 0
                    ), 0
                ) AS step_revenue,
                greatest(
                    coalesce(
                        sum(done.amount) FILTER (
                            WHERE
                            done.occurred_on >= done.spent_on
                            AND done.occurred_on <= due.eligible_on + experiment.horizon_days
                        ), 0
                    ), 0
                ) AS ladder_revenue
            FROM (
                SELECT
                    interaction.occurred_on,
                    CASE
                        WHEN
                            interaction.currency = experiment.currency
                            AND interaction.is_settled IS NOT TRUE
                            THEN interaction.amount
                    END AS amount,
                    min(interaction.occurred_on) FILTER (
                        WHERE
                        coalesce(experiment.returns -> due.behaviour, experiment.returns -> '')
                        ? CAST(interaction.kind AS text)
                    ) OVER () AS returned_on,
                    min(interaction.occurred_on) FILTER (
                        WHERE
                        interaction.kind = 'purchase'
                        OR coalesce(experiment.returns -> due.behaviour, experiment.returns -> '')
                        ? CAST(interaction.kind AS text)
                    ) OVER () AS spent_on
                FROM core.interaction AS interaction
                WHERE
                    interaction.contact_id = core.person(contact.contact_id, contact.merged_into)
                    AND interaction.occurred_on > due.eligible_on
                    AND interaction.occurred_on <= least(
                        CAST(:through AS date),
                        due.eligible_on
                        + greatest(experiment.attribution_days, experiment.horizon_days)
                    )
            ) AS done
        ) AS back
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(
                    sum(
                        outbox.cost(
                            message.price,
                            message.currency,
                            message.expected_price,
                            experiment.currency
                        )
                    ) FILTER (
                        WHERE message.as_of < due.eligible_on + experiment.attribution_days
                    ), 0
                ) AS step_cost,
                coalesce(
                    sum(
                        outbox.cost(
                            message.price,
                            message.currency,
                            message.expected_price,
                            experiment.currency
                        )
                    ) FILTER (WHERE message.as_of < due.eligible_on + experiment.horizon_days), 0
                ) AS ladder_cost
            FROM outbox.message AS message
            WHERE
                message.contact_id = due.contact_id
                AND outbox.went_out(message.accepted_at)
                AND message.as_of >= due.eligible_on
        ) AS texts
    WHERE due.count_on <= CAST(:through AS date)
) AS counted
WHERE eligible.contact_id = counted.contact_id AND eligible.salt = counted.salt;
