-- Another source's id that many of a load's cards hold is a placeholder, and joins nobody.
-- Grain: card × id. Writes: card_id. Parameters: most_cards. Twice: none is left.
DELETE FROM card_id
USING (
    SELECT
        crowded.source,
        crowded.source_contact_id
    FROM card_id AS crowded
    WHERE NOT crowded.is_own
    GROUP BY crowded.source, crowded.source_contact_id
    HAVING count(DISTINCT crowded.card) > CAST(:most_cards AS integer)
) AS placeholder
WHERE
    NOT card_id.is_own
    AND card_id.source = placeholder.source
    AND card_id.source_contact_id = placeholder.source_contact_id;
