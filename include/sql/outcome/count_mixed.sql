-- Phones whose contacts were drawn into different groups of an experiment, and people who are one
-- contact now and were drawn as two: what is sent to the one may reach the other.
-- Grain: one row. Reads: outcome.eligible, outcome.experiment, core.contact. Writes nothing.
-- Parameters: experiment.
SELECT count(*) AS mixed_phones
FROM (
    SELECT coalesce(person.phone_e164, CAST(person.contact_id AS text)) AS phone
    FROM outcome.eligible AS eligible
    INNER JOIN outcome.experiment AS experiment ON eligible.salt = experiment.salt
    INNER JOIN core.contact AS drawn ON eligible.contact_id = drawn.contact_id
    INNER JOIN core.contact AS person
        ON core.person(drawn.contact_id, drawn.merged_into) = person.contact_id
    WHERE experiment.experiment = :experiment AND eligible.control_share > 0
    GROUP BY coalesce(person.phone_e164, CAST(person.contact_id AS text))
    HAVING min(eligible.arm) <> max(eligible.arm)
) AS mixed;
