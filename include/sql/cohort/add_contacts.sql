-- Contacts that became known after the latest day was decided belong to the base.
-- Grain: the latest day. Writes: cohort.day. Parameters: contacts (new ones).
-- Twice: core's loads are seen once, so a second run adds none.
UPDATE cohort.day AS day
SET contacts = day.contacts + CAST(:contacts AS bigint)
WHERE day.as_of = (SELECT max(latest.as_of) FROM cohort.day AS latest);
