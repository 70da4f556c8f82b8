-- Which refunds take a purchase back whole, and which purchases: of one contact, source, currency,
-- product and amount, each refund takes the latest purchase before it that no other has taken, as
-- brackets close. Ask for one contact, in a LATERAL with OFFSET 0: the key leads with it.
--   is_settled   one of such a pair
--   kind         what the interaction is, then
--   taken_back_on  of a purchase in such a pair: when its refund came
-- Grain: purchase or refund. Reads: core.interaction.
CREATE OR REPLACE VIEW core.settlement AS
SELECT
    paired.contact_id,
    paired.occurred_on,
    paired.source,
    paired.source_event_id,
    paired.is_settled,
    CASE
        WHEN paired.is_purchase AND NOT paired.is_settled
            THEN CAST('purchase' AS core.interaction_kind)
        ELSE CAST('refund' AS core.interaction_kind)
    END AS kind,
    -- Of the pairs of one depth, each is closed before the next is opened.
    CASE
        WHEN paired.is_purchase AND paired.is_settled
            THEN
                lead(paired.occurred_on) OVER (
                    PARTITION BY
                        paired.contact_id, paired.source, paired.currency, paired.product_id,
                        paired.amount, paired.is_settled,
                        paired.height + CASE WHEN paired.is_purchase THEN 0 ELSE 1 END
                    ORDER BY paired.place
                )
    END AS taken_back_on
FROM (
    SELECT
        open.*,
        CASE
            -- Closed later, where fewer are open then than with it.
            WHEN open.is_purchase
                THEN
                    coalesce(
                        min(open.height) OVER (
                            PARTITION BY
                                open.contact_id, open.source, open.currency, open.product_id,
                                open.amount
                            ORDER BY open.place
                            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                        ) < open.height, FALSE
                    )
            -- It closes one, where one was open.
            ELSE open.total >= open.lowest_before
        END AS is_settled
    FROM (
        SELECT
            counted.*,
            least(
                0,
                min(counted.total) OVER (
                    PARTITION BY
                        counted.contact_id, counted.source, counted.currency, counted.product_id,
                        counted.amount
                    ORDER BY counted.place
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
            ) AS lowest_before,
            -- So many purchases are open after it: a refund that closes none does not count.
            counted.total - least(
                0,
                min(counted.total) OVER (
                    PARTITION BY
                        counted.contact_id, counted.source, counted.currency, counted.product_id,
                        counted.amount
                    ORDER BY counted.place
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                )
            ) AS height
        FROM (
            SELECT
                sided.*,
                sum(CASE WHEN sided.is_purchase THEN 1 ELSE -1 END) OVER (
                    PARTITION BY
                        sided.contact_id, sided.source, sided.currency, sided.product_id,
                        sided.amount
                    ORDER BY sided.place
                ) AS total
            FROM (
                SELECT
                    interaction.contact_id,
                    interaction.occurred_on,
                    interaction.source,
                    interaction.source_event_id,
                    coalesce(interaction.currency, '?') AS currency,
                    coalesce(interaction.product_id, '') AS product_id,
                    abs(interaction.amount) AS amount,
                    interaction.amount > 0 AS is_purchase,
                    row_number() OVER (
                        PARTITION BY interaction.contact_id
                        ORDER BY
                            interaction.occurred_at, interaction.amount < 0,
                            interaction.source, interaction.source_event_id
                    ) AS place
                FROM core.interaction AS interaction
                WHERE interaction.kind IN ('purchase', 'refund') AND interaction.amount <> 0
            ) AS sided
        ) AS counted
    ) AS open
) AS paired;
