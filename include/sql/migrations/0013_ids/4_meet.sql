-- Contacts that are one by an id which has one spelling now; the lower stays. Not where each has a
-- card of its own of one source: those are two people, and who shares an id with whom is settled
-- when cards come next. A round merges each contact once; rounds go on until none is left.
DROP TABLE IF EXISTS met, card, merging;

CREATE TEMPORARY TABLE met ON COMMIT DROP AS
SELECT DISTINCT
    spelt_identity.new_source,
    spelt_identity.new_id,
    identity.contact_id
FROM spelt_identity
INNER JOIN core.contact_identity AS identity
    ON
        spelt_identity.source = identity.source
        AND spelt_identity.source_contact_id = identity.source_contact_id;

CREATE TEMPORARY TABLE card ON COMMIT DROP AS
SELECT DISTINCT
    identity.contact_id,
    met_card.source,
    met_card.new_id
FROM met_card
INNER JOIN core.contact_identity AS identity
    ON met_card.source = identity.source AND met_card.source_contact_id = identity.source_contact_id;

ANALYZE met, card;

CREATE TEMPORARY TABLE merging ON COMMIT DROP AS
WITH meeting AS (
    SELECT DISTINCT
        one.contact_id AS kept_id,
        other.contact_id AS merged_id
    FROM met AS one
    INNER JOIN met AS other
        ON
            one.new_source = other.new_source
            AND one.new_id = other.new_id
            AND one.contact_id < other.contact_id
),

apart AS (
    SELECT DISTINCT
        meeting.kept_id,
        meeting.merged_id
    FROM meeting
    INNER JOIN card AS mine ON meeting.kept_id = mine.contact_id
    INNER JOIN card AS theirs
        ON meeting.merged_id = theirs.contact_id AND mine.source = theirs.source
    WHERE mine.new_id <> theirs.new_id
),

pair AS (
    SELECT
        meeting.merged_id,
        min(meeting.kept_id) AS kept_id
    FROM meeting
    LEFT JOIN apart
        ON meeting.kept_id = apart.kept_id AND meeting.merged_id = apart.merged_id
    WHERE apart.kept_id IS NULL
    GROUP BY meeting.merged_id
)

SELECT
    pair.kept_id,
    min(pair.merged_id) AS merged_id
FROM pair
LEFT JOIN pair AS upper ON pair.kept_id = upper.merged_id
WHERE upper.merged_id IS NULL
GROUP BY pair.kept_id;

ANALYZE merging;

INSERT INTO corrected (contact_id)
SELECT merging.kept_id FROM merging
UNION
SELECT merging.merged_id FROM merging
ON CONFLICT (contact_id) DO NOTHING;
