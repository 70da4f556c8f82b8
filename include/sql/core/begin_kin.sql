-- Begin to gather who may have to do with the touched cards: the cards themselves,
-- but those that have to do with nobody.
-- Grain: card or id. Reads: touched_card, alone. Writes: the temporary table kin. No parameters.
-- Gone with the transaction.
DROP TABLE IF EXISTS kin;

CREATE TEMPORARY TABLE kin (
    node integer GENERATED ALWAYS AS IDENTITY,
    source text,
    source_contact_id text,
    round integer NOT NULL,
    PRIMARY KEY (source, source_contact_id)
) ON COMMIT DROP;

INSERT INTO kin (source, source_contact_id, round)
SELECT
    touched_card.source,
    touched_card.source_contact_id,
    0
FROM touched_card
WHERE
    NOT EXISTS (
        SELECT 1
        FROM alone
        WHERE
            alone.source = touched_card.source
            AND alone.source_contact_id = touched_card.source_contact_id
    );

ANALYZE kin;
