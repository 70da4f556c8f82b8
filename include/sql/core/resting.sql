-- What still rests on keys that are not in use: hashes that are not known under the one that is, as
-- nobody has the number any more.
-- Grain: prefix of a key × kind. Reads: core.resting_hash, core.phone_alias. Parameters: prefix: of
-- the key in use, from_day: the first day whose texts count. Writes nothing.
SELECT
    core.key_prefix(resting.phone_hash) AS prefix,
    resting.what,
    count(DISTINCT resting.phone_hash) AS numbers
FROM core.resting_hash AS resting
WHERE
    core.key_prefix(resting.phone_hash) <> CAST(:prefix AS text)
    AND coalesce(resting.as_of >= CAST(:from_day AS date), TRUE)
    AND NOT EXISTS (
        SELECT 1
        FROM core.phone_alias AS alias
        WHERE
            alias.phone_hash = resting.phone_hash
            AND core.key_prefix(alias.alias_hash) = CAST(:prefix AS text)
    )
GROUP BY core.key_prefix(resting.phone_hash), resting.what
ORDER BY core.key_prefix(resting.phone_hash), resting.what;
