-- purpose: how long the first names are that texts must hold, for `make templates`: the lint of the
--          templates against the contacts there are
-- grain: language × country of contacts who can be texted; reads: core.contact; writes: nothing
-- parameters: letters (a pattern of names that a text keeps as they are), outside (one of what
--             GSM-7 does not hold), longest_name (characters that a text keeps of a name)
-- twice: it only reads
WITH named AS (
    SELECT
        contact.contact_id,
        lower(left(contact.language, 2)) AS language,
        contact.country,
        nullif(left(btrim(contact.first_name), cast(:longest_name AS integer)), '') AS first_name
    FROM core.contact AS contact
    WHERE
        contact.status = 'active'
        AND contact.merged_into IS NULL
        AND contact.phone_e164 IS NOT NULL
)

-- The longest by an aggregate that keeps one value: an array would hold every name of the base.
SELECT
    named.language,
    named.country,
    count(*) AS contacts,
    count(*) FILTER (WHERE named.first_name IS NULL) AS without_name,
    count(*) FILTER (WHERE named.first_name ~ :outside) AS outside_gsm,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY char_length(named.first_name)) AS typical_length,
    substr(
        max(to_char(char_length(named.first_name), 'FM00') || named.first_name)
        FILTER (WHERE named.first_name ~ :letters AND named.first_name !~ :outside),
        3
    ) AS longest_name,
    substr(
        max(to_char(char_length(named.first_name), 'FM00') || named.first_name)
        FILTER (WHERE named.first_name ~ :letters AND named.first_name ~ :outside),
        3
    ) AS longest_outside
FROM named
GROUP BY named.language, named.country
ORDER BY named.language, named.country;
