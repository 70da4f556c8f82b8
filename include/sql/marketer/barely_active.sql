-- purpose: the contacts who have not reached the first step, but have been quiet for a while: who
--          reaches it next comes first. Without their phone numbers
-- grain: contact; reads: cohort.dormancy (by dormancy_to_open), core.contact, core.source_ids;
--        writes: nothing
-- parameters: as_of (the latest decided day), barely_days (quiet for so many or more), reach_days (no
--             contact's first step is further than this from when they went quiet);
--             after_on, after (reaches_on and contact_id of the last row of the page before, null:
--             from the start); row_limit (null: all)
-- twice: it only reads
SELECT
    dormancy.contact_id,
    contact.first_name,
    left(contact.last_name, 1) AS last_initial,
    '•••• ' || right(contact.phone_e164, 2) AS phone,
    dormancy.behaviour,
    dormancy.dormant_since,
    cast(:as_of AS date) - dormancy.dormant_since AS inactive_days,
    dormancy.reaches_on,
    dormancy.reaches_on - cast(:as_of AS date) AS days_left,
    named.ids AS source_ids
FROM cohort.dormancy AS dormancy
INNER JOIN core.contact AS contact ON dormancy.contact_id = contact.contact_id
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = dormancy.contact_id
    ) AS named
    ON TRUE
WHERE
    dormancy.reaches_on > cast(:as_of AS date)
    -- Says no more than the next line, but by the index.
    AND dormancy.reaches_on
    <= cast(:as_of AS date) - cast(:barely_days AS integer) + cast(:reach_days AS integer)
    AND dormancy.dormant_since <= cast(:as_of AS date) - cast(:barely_days AS integer)
    AND contact.merged_into IS NULL
    AND contact.status <> 'erased'
    AND (
        cast(:after_on AS date) IS NULL
        OR (dormancy.reaches_on, dormancy.contact_id)
        > (cast(:after_on AS date), cast(:after AS bigint))
    )
ORDER BY dormancy.reaches_on, dormancy.contact_id
LIMIT cast(:row_limit AS bigint);
