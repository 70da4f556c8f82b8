-- Phones whose contacts were drawn into different groups of an experiment, and people who are one
-- contact now and were drawn as two: what is sent to the one may reach the other.
-- Grain: one row. Reads: outcome.unit, core.contact. Writes nothing. Parameters: experiment.
SELECT count(*) AS mixed_phones
FROM (
    SELECT coalesce(person.phone_e164, CAST(person.contact_id AS text)) AS phone
    FROM outcome.unit AS unit
    INNER JOIN core.contact AS drawn ON unit.contact_id = drawn.contact_id
    INNER JOIN core.contact AS person
        ON core.person(drawn.contact_id, drawn.merged_into) = person.contact_id
    WHERE unit.experiment = :experiment AND unit.estimand = 'ladder'
    GROUP BY coalesce(person.phone_e164, CAST(person.contact_id AS text))
    HAVING min(unit.arm) <> max(unit.arm)
) AS mixed;
