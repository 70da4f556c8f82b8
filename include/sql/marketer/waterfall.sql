-- purpose: how many contacts were evaluated on a day, what was decided for them, in the order in which
--          the reasons are checked, and what became of the texts; beside the day decided before
-- grain: step x stage; reads: cohort.waterfall_by_step (cohort.decision by decision_by_day,
--        outbox.message by message_by_day); writes: nothing
-- parameters: day (date, brand's zone)
-- twice: it only reads
SELECT
    step,
    stage,
    action,
    contacts,
    left_over,
    previous_contacts
FROM cohort.waterfall_by_step
WHERE as_of = cast(:day AS date)
ORDER BY place, step;
