-- Contacts that are one by an id which has one spelling now; the lower stays. Not where each has a
-- card of its own of one source: those are two people, and who shares an id with whom is settled
-- when cards come next. A round merges each contact once; rounds go on until none is left.
DROP TABLE IF EXISTS merging;

CREATE TEMPORARY TABLE merging ON COMMIT DROP AS
WITH met AS (
    SELECT DISTINCT
        spelt_identity.new_source,
        spelt_identity.new_id,
        identity.contact_id
    FROM spelt_identity
    INNER JOIN core.contact_identity AS identity
        ON
            spelt_identity.source = identity.source
            AND spelt_identity.source_contact_id = identity.source_contact_id
),

card AS (
    SELECT
        identity.contact_id,
        met_card.source,
        met_card.new_id
    FROM met_card
    INNER JOIN core.contact_identity AS identity
        ON met_card.source = identity.source AND met_card.source_contact_id = identity.source_contact_id
),

pair AS (
    SELECT
        other.contact_id AS merged_id,
        min(one.contact_id) AS kept_id
    FROM met AS one
    INNER JOIN met AS other
        ON
            one.new_source = other.new_source
            AND one.new_id = other.new_id
            AND one.contact_id < other.contact_id
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM card AS mine
            INNER JOIN card AS theirs ON mine.source = theirs.source AND mine.new_id <> theirs.new_id
            WHERE mine.contact_id = one.contact_id AND theirs.contact_id = other.contact_id
        )
    GROUP BY other.contact_id
)

SELECT
    pair.kept_id,
    min(pair.merged_id) AS merged_id
FROM pair
WHERE NOT EXISTS (SELECT 1 FROM pair AS upper WHERE upper.merged_id = pair.kept_id)
GROUP BY pair.kept_id;

ANALYZE merging;

INSERT INTO corrected (contact_id)
SELECT merging.kept_id FROM merging
UNION
SELECT merging.merged_id FROM merging
ON CONFLICT (contact_id) DO NOTHING;
