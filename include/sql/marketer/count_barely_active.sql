-- purpose: how many contacts have not reached the first step, but have been quiet for a while
-- grain: one row; reads: cohort.dormancy (by dormancy_to_open), core.contact; writes: nothing
-- parameters: as_of (the latest decided day), barely_days (quiet for so many or more), reach_days (no
--             contact's first step is further than this from when they went quiet)
-- twice: it only reads
SELECT count(*) AS contacts
FROM cohort.dormancy AS dormancy
INNER JOIN core.contact AS contact ON dormancy.contact_id = contact.contact_id
WHERE
    dormancy.reaches_on > cast(:as_of AS date)
    -- Says no more than the next line, but by the index.
    AND dormancy.reaches_on
    <= cast(:as_of AS date) - cast(:barely_days AS integer) + cast(:reach_days AS integer)
    AND dormancy.dormant_since <= cast(:as_of AS date) - cast(:barely_days AS integer)
    AND contact.merged_into IS NULL
    AND contact.status <> 'erased';
