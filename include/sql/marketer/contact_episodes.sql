-- purpose: a contact's quiet spells, and how they ended
-- grain: contact x dormant_since; reads: cohort.episode, outcome.ended; writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    episode.dormant_since,
    episode.arm,
    episode.opened_on,
    episode.next_step,
    episode.next_due_on,
    episode.closed_on,
    ended.label AS ending,
    ended.decided_on
FROM cohort.episode AS episode
LEFT JOIN outcome.ended AS ended
    ON episode.contact_id = ended.contact_id AND episode.dormant_since = ended.dormant_since
WHERE episode.contact_id = cast(:contact_id AS bigint)
ORDER BY episode.dormant_since;
