-- purpose: a contact's quiet spells, and how they ended
-- grain: contact x dormant_since; reads: cohort.episode, outcome.contact_outcome; writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    episode.dormant_since,
    episode.arm,
    episode.opened_on,
    episode.next_step,
    episode.next_due_on,
    episode.closed_on,
    outcome.outcome,
    outcome.decided_on,
    outcome.steps_sent,
    outcome.returned_on
FROM cohort.episode AS episode
LEFT JOIN outcome.contact_outcome AS outcome
    ON
        episode.contact_id = outcome.contact_id
        AND episode.dormant_since = outcome.dormant_since
WHERE episode.contact_id = cast(:contact_id AS bigint)
ORDER BY episode.dormant_since;
