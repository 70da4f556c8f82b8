-- How many cards are touched; how many ids of other sources they hold that two cards of a source
-- share; and how many are placeholders, held by how many cards.
-- Grain: one row. Reads: touched_card, shared_id, core.card_id. No parameters. Writes nothing.
SELECT
    (SELECT count(*) FROM touched_card) AS touched,
    count(*) FILTER (WHERE held.is_whole AND held.cards > 1) AS shared,
    count(*) FILTER (WHERE NOT held.is_whole) AS placeholders,
    coalesce(sum(held.cards) FILTER (WHERE NOT held.is_whole), 0) AS placeholder_cards
FROM (
    SELECT
        named.id_source,
        named.id,
        bool_and(holder.hold = 'whole') AS is_whole,
        count(DISTINCT holder.source_contact_id) AS cards
    FROM (
        SELECT DISTINCT
            said.id_source,
            said.id
        FROM shared_id
        INNER JOIN core.card_id AS said
            ON shared_id.id_source = said.id_source AND shared_id.id = said.id
        INNER JOIN touched_card
            ON
                said.source = touched_card.source
                AND said.source_contact_id = touched_card.source_contact_id
        WHERE said.id_source <> said.source AND said.id_source NOT IN ('@phone', '@email')
    ) AS named
    INNER JOIN core.card_id AS holder ON named.id_source = holder.id_source AND named.id = holder.id
    WHERE holder.id_source <> holder.source
    GROUP BY named.id_source, named.id, holder.source
) AS held;
