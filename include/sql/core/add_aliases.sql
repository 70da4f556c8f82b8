-- Note which hashes are of one number, each beside each, with those that were known of it before.
-- Grain: pair of hashes. Reads and writes: core.phone_alias. Parameters: names, phone_hashes: a hash
-- of a number, and any name for the number. Twice: what is there stays.
WITH given AS (
    SELECT
        known.name,
        known.phone_hash
    FROM
        unnest(CAST(:names AS text[]), CAST(:phone_hashes AS text[])) AS known (name, phone_hash)
),

-- By arrays, each number by itself: a join of all with all might be planned as such.
number AS (
    SELECT
        known.name,
        array_agg(known.phone_hash) AS phone_hashes
    FROM (
        SELECT
            given.name,
            given.phone_hash
        FROM given
        UNION
        SELECT
            given.name,
            alias.alias_hash
        FROM given
        INNER JOIN core.phone_alias AS alias ON given.phone_hash = alias.phone_hash
    ) AS known
    GROUP BY known.name
)

INSERT INTO core.phone_alias (phone_hash, alias_hash)
SELECT DISTINCT
    one.phone_hash,
    other.phone_hash
FROM number
CROSS JOIN LATERAL unnest(number.phone_hashes) AS one (phone_hash)
CROSS JOIN LATERAL unnest(number.phone_hashes) AS other (phone_hash)
WHERE one.phone_hash <> other.phone_hash
ON CONFLICT (phone_hash, alias_hash) DO NOTHING;
