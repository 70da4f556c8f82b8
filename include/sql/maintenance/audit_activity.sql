-- Which columns of core.contact_activity are not what core.interaction says.
-- Grain: contact that differs. Reads: core.interaction, core.contact, core.contact_activity,
-- core.card_id, core.contact_identity.
-- Parameters: after_contact_id, through_contact_id, share, seed, signals. Writes nothing.
WITH contact AS (
    SELECT
        drawn.contact_id,
        drawn.created_on,
        drawn.first_seen_on
    FROM core.contact AS drawn
    WHERE
        drawn.contact_id > :after_contact_id
        AND drawn.contact_id <= :through_contact_id
        AND (hashint8extended(drawn.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

done AS (
    SELECT
        interaction.contact_id,
        interaction.kind,
        interaction.occurred_on,
        TRUE AS is_own
    FROM core.interaction AS interaction
    WHERE
        interaction.contact_id > :after_contact_id
        AND interaction.contact_id <= :through_contact_id
        AND (hashint8extended(interaction.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
    UNION ALL
    -- Under an id that a card of theirs names and that is another contact: not quiet, no more.
    SELECT
        shared.contact_id,
        interaction.kind,
        interaction.occurred_on,
        FALSE
    FROM (
        SELECT DISTINCT
            contact.contact_id,
            held.contact_id AS held_id
        FROM contact
        INNER JOIN core.contact_identity AS card ON contact.contact_id = card.contact_id
        INNER JOIN core.card_id AS named
            ON
                card.source = named.source
                AND card.source_contact_id = named.source_contact_id
        INNER JOIN core.contact_identity AS held
            ON named.id_source = held.source AND named.id = held.source_contact_id
        WHERE held.contact_id <> contact.contact_id AND named.hold = 'whole'
    ) AS shared
    INNER JOIN core.interaction AS interaction ON shared.held_id = interaction.contact_id
),

dated AS (
    SELECT
        done.contact_id,
        max(done.occurred_on) FILTER (WHERE done.kind = 'purchase') AS last_purchase_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'visit') AS last_visit_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'loyalty') AS last_loyalty_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'email_open') AS last_email_open_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'email_click') AS last_email_click_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'reply') AS last_reply_on,
        max(done.occurred_on) FILTER (WHERE done.kind = 'login') AS last_login_on,
        max(done.occurred_on) FILTER (
            WHERE done.kind = ANY(CAST(:signals AS core.interaction_kind[]))
        ) AS last_signal_on,
        min(done.occurred_on) FILTER (WHERE done.is_own AND done.kind <> 'refund')
            AS first_interaction_on,
        count(*) FILTER (WHERE done.kind = 'purchase' AND done.is_own) AS purchases
    FROM done
    GROUP BY done.contact_id
),

spaced AS (
    SELECT
        apart.contact_id,
        array_agg(apart.days ORDER BY apart.days) AS purchase_gaps,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY apart.days) AS median_days
    FROM (
        SELECT
            bought.contact_id,
            bought.occurred_on - lag(bought.occurred_on) OVER (
                PARTITION BY bought.contact_id ORDER BY bought.occurred_on
            ) AS days
        FROM (
            SELECT DISTINCT
                done.contact_id,
                done.occurred_on
            FROM done
            WHERE done.kind = 'purchase' AND done.is_own
        ) AS bought
    ) AS apart
    WHERE apart.days IS NOT NULL
    GROUP BY apart.contact_id
),

anew AS (
    SELECT
        contact.contact_id,
        dated.last_purchase_on,
        dated.last_visit_on,
        dated.last_loyalty_on,
        dated.last_email_open_on,
        dated.last_email_click_on,
        dated.last_reply_on,
        dated.last_login_on,
        dated.last_signal_on,
        dated.first_interaction_on,
        coalesce(
            least(contact.created_on, dated.first_interaction_on), contact.first_seen_on
        ) AS visible_on,
        coalesce(dated.purchases, 0) AS purchases,
        coalesce(spaced.purchase_gaps, '{}') AS purchase_gaps,
        spaced.median_days
    FROM contact
    LEFT JOIN dated ON contact.contact_id = dated.contact_id
    LEFT JOIN spaced ON contact.contact_id = spaced.contact_id
),

kept AS (
    SELECT activity.*
    FROM core.contact_activity AS activity
    WHERE
        activity.contact_id > :after_contact_id
        AND activity.contact_id <= :through_contact_id
        AND (hashint8extended(activity.contact_id, CAST(:seed AS bigint)) & 1048575)
        < CAST(:share AS double precision) * 1048576
),

compared AS (
    SELECT
        coalesce(anew.contact_id, kept.contact_id) AS contact_id,
        CASE
            WHEN kept.contact_id IS NULL THEN '{(missing)}'
            WHEN anew.contact_id IS NULL THEN '{(no contact)}'
            ELSE array_remove(
                ARRAY[
                    CASE
                        WHEN kept.last_purchase_on IS DISTINCT FROM anew.last_purchase_on
                            THEN 'last_purchase_on'
                    END,
                    CASE
                        WHEN kept.last_visit_on IS DISTINCT FROM anew.last_visit_on
                            THEN 'last_visit_on'
                    END,
                    CASE
                        WHEN kept.last_loyalty_on IS DISTINCT FROM anew.last_loyalty_on
                            THEN 'last_loyalty_on'
                    END,
                    CASE
                        WHEN kept.last_email_open_on IS DISTINCT FROM anew.last_email_open_on
                            THEN 'last_email_open_on'
                    END,
                    CASE
                        WHEN kept.last_email_click_on IS DISTINCT FROM anew.last_email_click_on
                            THEN 'last_email_click_on'
                    END,
                    CASE
                        WHEN kept.last_reply_on IS DISTINCT FROM anew.last_reply_on
                            THEN 'last_reply_on'
                    END,
                    CASE
                        WHEN kept.last_login_on IS DISTINCT FROM anew.last_login_on
                            THEN 'last_login_on'
                    END,
                    CASE
                        WHEN kept.last_signal_on IS DISTINCT FROM anew.last_signal_on
                            THEN 'last_signal_on'
                    END,
                    CASE
                        WHEN kept.first_interaction_on IS DISTINCT FROM anew.first_interaction_on
                            THEN 'first_interaction_on'
                    END,
                    CASE WHEN kept.visible_on <> anew.visible_on THEN 'visible_on' END,
                    CASE WHEN kept.purchases <> anew.purchases THEN 'purchases' END,
                    CASE WHEN kept.purchase_gaps <> anew.purchase_gaps THEN 'purchase_gaps' END,
                    CASE
                        WHEN kept.median_days_between_purchases IS DISTINCT FROM anew.median_days
                            THEN 'median_days_between_purchases'
                    END
                ], NULL
            )
        END AS column_names
    FROM anew
    FULL JOIN kept ON anew.contact_id = kept.contact_id
)

SELECT
    compared.contact_id,
    compared.column_names
FROM compared
WHERE cardinality(compared.column_names) > 0
ORDER BY compared.contact_id;
