-- How many there were: in the notes of the latest load of each source of cards, where people look.
CREATE TEMPORARY TABLE told ON COMMIT DROP AS
SELECT
    (SELECT count(*) FROM wrong) AS contacts,
    (SELECT count(DISTINCT placed.contact_id) FROM placed) AS parts,
    (
        SELECT count(*)
        FROM core.interaction AS interaction
        WHERE interaction.contact_id IN (SELECT parted.to_id FROM parted)
    ) AS interactions,
    (
        SELECT count(*)
        FROM core.consent AS consent
        WHERE consent.contact_id IN (SELECT parted.to_id FROM parted)
    ) AS consents,
    (
        SELECT count(*)
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id IN (SELECT parted.to_id FROM parted)
            AND suppression.lifted_at IS NULL
    ) AS stops;

UPDATE raw.load AS load
SET
    message = concat_ws(
        E'\n', nullif(load.message, ''), format(
            '%s contacts were several cards of one source, joined by an id that they share: parted '
            'into %s, with %s interactions, %s consents and %s stops that go with the new ones',
            told.contacts, told.parts, told.interactions, told.consents, told.stops
        )
    )
FROM told
WHERE
    told.contacts > 0
    AND load.load_id IN (
        SELECT max(latest.load_id)
        FROM raw.load AS latest
        WHERE latest.entity = 'contact'
        GROUP BY latest.source
    );
