-- A contact whose story shows the most: texted more than once, answering or entering or using the
-- code, and over.
-- Grain: one row or none. Reads: outcome.contact_outcome, outbox.message, outbox.survey,
-- outbox.contest_entry, outbox.coupon. Writes nothing. No parameters.
WITH acted AS (
    SELECT
        deed.contact_id,
        count(*) AS deeds
    FROM (
        SELECT survey.contact_id FROM outbox.survey AS survey
        UNION ALL
        SELECT entry.contact_id FROM outbox.contest_entry AS entry
        UNION ALL
        SELECT coupon.contact_id FROM outbox.coupon AS coupon
        WHERE coupon.redeemed_at IS NOT NULL
    ) AS deed
    GROUP BY deed.contact_id
)

SELECT contact_outcome.contact_id
FROM outcome.contact_outcome AS contact_outcome
LEFT JOIN acted ON contact_outcome.contact_id = acted.contact_id
WHERE contact_outcome.steps_sent > 0
ORDER BY
    coalesce(acted.deeds, 0) DESC,
    contact_outcome.outcome = 'active' DESC,
    contact_outcome.first_open_at IS NOT NULL DESC,
    contact_outcome.steps_sent DESC,
    contact_outcome.contact_id ASC
LIMIT 1;
