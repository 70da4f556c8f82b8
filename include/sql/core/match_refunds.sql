-- Let refunds take back whole what they are for: a purchase of which everything went back is none,
-- until the refund is taken back itself. Of the corrected contacts, from all they ever did.
-- Grain: interaction of a contact in the temporary table corrected who gave something back. Reads:
-- core.settlement. Writes: core.interaction, the temporary table told_code (the coupons of what has
-- changed). No parameters. Twice: nothing changes.
DROP TABLE IF EXISTS told_code;

CREATE TEMPORARY TABLE told_code (coupon_code text) ON COMMIT DROP;

WITH changed AS (
    UPDATE core.interaction AS interaction
    SET kind = settlement.kind, is_settled = settlement.is_settled
    FROM (
        SELECT corrected.contact_id
        FROM corrected
        WHERE EXISTS (
            SELECT 1
            FROM core.interaction AS refund
            WHERE refund.contact_id = corrected.contact_id AND refund.kind = 'refund'
        )
    ) AS returner
    CROSS JOIN
        LATERAL (
            SELECT pair.*
            FROM core.settlement AS pair
            WHERE pair.contact_id = returner.contact_id
            -- Not joined the other way round, over everybody's interactions.
            ORDER BY pair.source_event_id
            OFFSET 0
        ) AS settlement
    WHERE
        interaction.contact_id = settlement.contact_id
        AND interaction.occurred_on = settlement.occurred_on
        AND interaction.source = settlement.source
        AND interaction.source_event_id = settlement.source_event_id
        AND (
            interaction.kind <> settlement.kind
            OR coalesce(interaction.is_settled, FALSE) <> settlement.is_settled
        )
    RETURNING interaction.coupon_code
)

INSERT INTO told_code (coupon_code)
SELECT DISTINCT changed.coupon_code
FROM changed
WHERE changed.coupon_code IS NOT NULL;
