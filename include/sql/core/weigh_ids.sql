-- Which ids are placeholders now, as many cards of one source hold them, and who named them before
-- they were.
-- Grain: card × id. Reads: touched_card, core.card_id. Writes: core.card_id (hold), touched_card (cards
-- whose id has become a placeholder, or is none any more), the temporary table shared_id: of what the
-- touched cards name, what several cards hold. Parameters: source, most_cards. Twice: nothing changes.
DROP TABLE IF EXISTS shared_id;

CREATE TEMPORARY TABLE shared_id ON COMMIT DROP AS
SELECT
    holder.id_source,
    holder.id
FROM (
    SELECT DISTINCT
        said.id_source,
        said.id
    FROM touched_card
    INNER JOIN core.card_id AS said
        ON
            touched_card.source = said.source
            AND touched_card.source_contact_id = said.source_contact_id
) AS named
INNER JOIN core.card_id AS holder ON named.id_source = holder.id_source AND named.id = holder.id
GROUP BY holder.id_source, holder.id
HAVING count(*) > 1 OR bool_or(holder.hold <> 'whole');

-- Many cards that hold the same ids are merged at once: the planner thinks few of them fit, and would
-- read all of these for each.
CREATE UNIQUE INDEX shared_id_by_id ON shared_id (id_source, id);

ANALYZE shared_id;

WITH counted AS (
    SELECT
        holder.source,
        holder.source_contact_id,
        holder.id_source,
        holder.id,
        holder.load_id,
        count(*) OVER (
            PARTITION BY holder.id_source, holder.id, holder.source ORDER BY holder.load_id
        ) AS cards
    FROM shared_id
    INNER JOIN core.card_id AS holder
        ON shared_id.id_source = holder.id_source AND shared_id.id = holder.id
    WHERE shared_id.id_source NOT IN (:source, '@phone')
),

weighed AS (
    SELECT
        counted.source,
        counted.source_contact_id,
        counted.id_source,
        counted.id,
        CASE
            WHEN
                max(counted.cards) OVER (PARTITION BY counted.id_source, counted.id)
                <= CAST(:most_cards AS integer)
                THEN 'whole'
            WHEN
                max(counted.cards) OVER (
                    PARTITION BY counted.id_source, counted.id ORDER BY counted.load_id
                ) <= CAST(:most_cards AS integer)
                THEN 'stops'
            ELSE 'nothing'
        END AS hold
    FROM counted
    -- A source's own cards are no holders of their own ids.
    WHERE counted.source <> counted.id_source OR counted.source_contact_id <> counted.id
),

changed AS (
    UPDATE core.card_id AS known
    SET hold = CAST(weighed.hold AS core.hold)
    FROM weighed
    WHERE
        known.source = weighed.source
        AND known.source_contact_id = weighed.source_contact_id
        AND known.id_source = weighed.id_source
        AND known.id = weighed.id
        AND known.hold <> CAST(weighed.hold AS core.hold)
    RETURNING known.source, known.source_contact_id
)

INSERT INTO touched_card (source, source_contact_id)
SELECT
    changed.source,
    changed.source_contact_id
FROM changed
EXCEPT
SELECT
    touched_card.source,
    touched_card.source_contact_id
FROM touched_card;

ANALYZE touched_card;
