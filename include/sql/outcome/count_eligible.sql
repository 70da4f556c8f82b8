-- What became of those whose window ends, or has ended lately: a return is the first signal after they
-- were drawn, of the kinds that the experiment takes; revenue is what they spent from then on, or from
-- their first purchase, less what they gave back, and never less than nothing; cost is of the texts
-- decided in the window; discount is what coupons of theirs took off their own orders, where the
-- order's amount tells. A contact that was merged came back where the one that is left did.
--
-- Each is counted when the shorter and the longer window end, and again_days more, for what is late.
--
-- Grain: contact × salt × draw. Reads: outcome.experiment, core.*, outbox.message,
-- outbox.coupon. Writes: outcome.eligible.
-- Parameters: through (the day through which the sources are complete), again_days. Twice: the same.
UPDATE outcome.eligible AS eligible
SET
    returned_on = counted.returned_on,
    step_revenue = counted.step_revenue,
    ladder_revenue = counted.ladder_revenue,
    step_cost = counted.step_cost,
    ladder_cost = counted.ladder_cost,
    step_discount = counted.step_discount,
    ladder_discount = counted.ladder_discount,
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
        due.draw,
        least(ends.step_on, ends.ladder_on) AS shorter_on,
        greatest(ends.step_on, ends.ladder_on) AS longer_on,
        back.returned_on,
        back.revenue[1] AS step_revenue,
        back.revenue[2] AS ladder_revenue,
        texts.cost[1] AS step_cost,
        texts.cost[2] AS ladder_cost,
        coupons.discount[1] AS step_discount,
        coupons.discount[2] AS ladder_discount
    FROM outcome.eligible AS due
    INNER JOIN outcome.experiment AS experiment
        ON due.salt = experiment.salt AND due.draw = experiment.draw
    INNER JOIN core.contact AS contact ON due.contact_id = contact.contact_id
    CROSS JOIN
        LATERAL (
            SELECT
                due.eligible_on + experiment.attribution_days AS step_on,
                due.eligible_on + experiment.horizon_days AS ladder_on
        ) AS ends
    CROSS JOIN
        LATERAL (
            SELECT
                min(spent.returned_on) AS returned_on,
                array_agg(spent.revenue ORDER BY spent.place) AS revenue
            FROM (
                SELECT
                    seen.place,
                    min(done.returned_on) AS returned_on,
                    greatest(
                        coalesce(
                            sum(done.amount) FILTER (
                                WHERE
                                done.occurred_on >= done.spent_on
                                AND done.occurred_on <= seen.ends_on
                            ), 0
                        ), 0
                    ) AS revenue
                FROM (VALUES (1, ends.step_on), (2, ends.ladder_on)) AS seen (place, ends_on)
                LEFT JOIN (
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
                        interaction.contact_id
                        = core.person(contact.contact_id, contact.merged_into)
                        AND interaction.occurred_on > due.eligible_on
                        AND interaction.occurred_on
                        <= least(CAST(:through AS date), greatest(ends.step_on, ends.ladder_on))
                ) AS done
                    ON TRUE
                GROUP BY seen.place
            ) AS spent
        ) AS back
    CROSS JOIN
        LATERAL (
            SELECT array_agg(paid.cost ORDER BY paid.place) AS cost
            FROM (
                SELECT
                    seen.place,
                    coalesce(
                        sum(
                            outbox.cost(
                                message.price,
                                message.currency,
                                message.expected_price,
                                experiment.currency
                            )
                        ), 0
                    ) AS cost
                FROM (VALUES (1, ends.step_on), (2, ends.ladder_on)) AS seen (place, ends_on)
                LEFT JOIN outbox.message AS message
                    ON
                        message.contact_id = due.contact_id
                        AND outbox.went_out(message.accepted_at)
                        AND message.as_of >= due.eligible_on
                        AND message.as_of < seen.ends_on
                GROUP BY seen.place
            ) AS paid
        ) AS texts
    -- The rows of one moment that name the code are one order, as in outbox.redemption.
    CROSS JOIN
        LATERAL (
            SELECT array_agg(taken.discount ORDER BY taken.place) AS discount
            FROM (
                SELECT
                    seen.place,
                    coalesce(
                        sum(
                            outbox.discount(
                                used.kind, used.value, used.amount, experiment.amounts
                            )
                        ), 0
                    ) AS discount
                FROM (VALUES (1, ends.step_on), (2, ends.ladder_on)) AS seen (place, ends_on)
                LEFT JOIN (
                    SELECT
                        coupon.kind,
                        coupon.value,
                        interaction.occurred_on,
                        sum(interaction.amount) AS amount
                    FROM outbox.coupon AS coupon
                    INNER JOIN core.interaction AS interaction
                        ON
                            interaction.coupon_code IS NOT NULL
                            AND coupon.redeemed_at = interaction.occurred_at
                            AND outbox.code_keys(interaction.coupon_code) @> ARRAY[coupon.code_key]
                    WHERE
                        coupon.contact_id
                        IN (due.contact_id, core.person(contact.contact_id, contact.merged_into))
                        AND coupon.redeemed_at IS NOT NULL
                        AND coalesce(coupon.currency, experiment.currency) = experiment.currency
                        AND interaction.contact_id
                        = core.person(contact.contact_id, contact.merged_into)
                        AND interaction.occurred_on > due.eligible_on
                        AND interaction.occurred_on
                        <= least(CAST(:through AS date), greatest(ends.step_on, ends.ladder_on))
                        AND interaction.currency = experiment.currency
                        AND interaction.is_settled IS NOT TRUE
                        AND core.is_order(interaction.kind)
                    GROUP BY coupon.code, interaction.source, interaction.occurred_on
                ) AS used
                    ON seen.ends_on >= used.occurred_on
                GROUP BY seen.place
            ) AS taken
        ) AS coupons
    WHERE due.count_on <= CAST(:through AS date)
) AS counted
WHERE
    eligible.contact_id = counted.contact_id
    AND eligible.salt = counted.salt
    AND eligible.draw = counted.draw;
