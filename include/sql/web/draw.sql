-- Draw a contest: every ticket gets its place, by the SHA-256 of the seed and the ticket.
-- Grain: contest. Reads: core.contact, core.phone_alias. Writes: outbox.contest_entry (place), outbox.contest.
-- Parameters: contest, closes_on, winners, at.
-- Of the entries of one person (merged since) or one number (however it is written) the first is drawn; an erased contact's
-- is not. Twice: a contest that is drawn is left as it is. The caller holds the contest's lock.
-- An entry that is being written holds the contest's row, so it is in or refused, never in between.
SELECT contest.contest
FROM outbox.contest AS contest
WHERE contest.contest = :contest
FOR UPDATE;

WITH standing AS (
    SELECT DISTINCT ON (core.person(contact.contact_id, contact.merged_into))
        entry.contact_id,
        entry.contest,
        core.one_number(entry.phone_hash) AS number,
        entry.ticket,
        entry.entered_at
    FROM outbox.contest_entry AS entry
    INNER JOIN core.contact AS contact ON entry.contact_id = contact.contact_id
    WHERE entry.contest = :contest AND contact.status <> 'erased'
    ORDER BY
        core.person(contact.contact_id, contact.merged_into),
        entry.entered_at,
        entry.contact_id
),

single AS (
    SELECT DISTINCT ON (coalesce(standing.number, standing.ticket))
        standing.contact_id,
        standing.contest,
        standing.ticket
    FROM standing
    ORDER BY
        coalesce(standing.number, standing.ticket),
        standing.entered_at,
        standing.contact_id
),

drawn AS (
    SELECT
        single.contact_id,
        single.contest,
        row_number() OVER (
            ORDER BY sha256(convert_to(contest.seed || single.ticket, 'UTF8'))
        ) AS place
    FROM single
    INNER JOIN outbox.contest AS contest ON single.contest = contest.contest
    WHERE contest.drawn_at IS NULL
)

UPDATE outbox.contest_entry AS entry
SET place = drawn.place
FROM drawn
WHERE entry.contact_id = drawn.contact_id AND entry.contest = drawn.contest;

UPDATE outbox.contest
SET
    closes_on = CAST(:closes_on AS date),
    winners = CAST(:winners AS integer),
    drawn_at = CAST(:at AS timestamptz),
    entries = list.entries,
    entries_digest = list.digest
FROM (
    SELECT
        count(*) AS entries,
        encode(
            sha256(
                convert_to(
                    coalesce(
                        string_agg(entry.ticket || chr(10), '' ORDER BY entry.ticket COLLATE "C"),
                        ''
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) AS digest
    FROM outbox.contest_entry AS entry
    WHERE entry.contest = :contest AND entry.place IS NOT NULL
) AS list
WHERE contest.contest = :contest AND contest.drawn_at IS NULL;
