-- Stops, breaks and their ends. The link service, which strangers reach, may change or take back a
-- suppression through these alone: they run as the warehouse's owner, and find nothing by a search
-- path. Each says what it does to one number or one contact.

-- Opt a contact out: what a press on the landing page's button does.
-- Grain: a contact and, where it was merged into another since its message, the other one: they are
-- one person. Messages to the number that are not out yet are cancelled, whosever they are: an
-- opt-out holds for the number.
-- Reads: core.contact, core.phone_alias. Writes: core.suppression, core.contact (status), outbox.message.
-- Parameters: contact_id; phone_hash: of the number the person was written to, NULL where it is
-- not known (then the contact's own); channel; source: what wrote it, landing or reply; at: when.
-- Running it twice leaves the first opt-out as it is, but for a source that is harder to take back:
-- one stands at a time, by a unique index. An erased contact stays erased.
-- A stop by reply can be taken back by reply. One that was pressed, too, no longer.
CREATE FUNCTION core.opt_out(
    contact_id bigint, phone_hash text, channel text, source text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
    SELECT
        person.contact_id,
        coalesce($2, known.phone_hash),
        $3,
        CAST('opted_out' AS core.suppression_reason),
        $4,
        $5
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE contact_id = $1 AND merged_into IS NOT NULL
    ) AS person
    LEFT JOIN core.contact AS known ON person.contact_id = known.contact_id
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET source = excluded.source
        WHERE
            core.is_by_reply(suppression.source)
            AND NOT core.is_by_reply(excluded.source);

    UPDATE core.contact
    SET status = 'unsubscribed'
    WHERE
        (
            contact_id = $1
            OR contact_id = (
                SELECT merged.merged_into
                FROM core.contact AS merged
                WHERE merged.contact_id = $1
            )
        )
        AND status = 'active';

    UPDATE outbox.message
    SET
        status = 'cancelled',
        status_at = $5,
        error_code = 'opted_out'
    WHERE
        channel = $3
        AND status IN ('draft', 'queued')
        AND (
            contact_id = $1
            OR contact_id = (
                SELECT merged.merged_into
                FROM core.contact AS merged
                WHERE merged.contact_id = $1
            )
            OR phone_hash = ANY(core.phone_hashes($2))
        );
$$;

-- Opt a number out: what a STOP reply does, which names a number and no contact.
-- Grain: the number itself (contact_id 0), and every contact that has the number, however it is
-- written, had a message on it, or took over such a contact in a merge. Their messages that are not out
-- yet are cancelled, and all others to the number.
-- Reads: core.contact, core.phone_alias, outbox.message. Writes: core.suppression, core.contact
-- (status), outbox.message.
-- Parameters: phone_hash; channel; source: what wrote it (`unread`: nobody had read a reply in time);
-- at: when.
-- Running it twice leaves the first opt-out as it is: one stands at a time, by a unique index; but a
-- clear stop takes the place of a reply that nobody had read. An erased contact stays erased.
CREATE FUNCTION core.opt_out_phone(
    phone_hash text, channel text, source text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since)
    SELECT
        person.contact_id,
        $1,
        $2,
        CAST('opted_out' AS core.suppression_reason),
        $3,
        $4
    FROM (
        SELECT contact_id
        FROM core.contact
        WHERE phone_hash = ANY(core.phone_hashes($1))
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE
            phone_hash = ANY(core.phone_hashes($1))
            AND merged_into IS NOT NULL
        UNION
        SELECT contact_id
        FROM outbox.message
        WHERE phone_hash = ANY(core.phone_hashes($1))
        UNION
        -- The number itself, whoever has it tomorrow.
        SELECT 0
    ) AS person
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET source = excluded.source
        WHERE suppression.source = 'unread' AND excluded.source <> 'unread';

    UPDATE core.contact
    SET status = 'unsubscribed'
    WHERE
        status = 'active'
        AND contact_id IN (
            SELECT contact_id
            FROM core.contact
            WHERE phone_hash = ANY(core.phone_hashes($1))
            UNION
            SELECT merged_into
            FROM core.contact
            WHERE
                phone_hash = ANY(core.phone_hashes($1))
                AND merged_into IS NOT NULL
            UNION
            SELECT contact_id
            FROM outbox.message
            WHERE phone_hash = ANY(core.phone_hashes($1))
        );

    UPDATE outbox.message
    SET
        status = 'cancelled',
        status_at = $4,
        error_code = 'opted_out'
    WHERE
        channel = $2
        AND status IN ('draft', 'queued')
        AND (
            phone_hash = ANY(core.phone_hashes($1))
            OR contact_id IN (
                SELECT suppression.contact_id
                FROM core.suppression
                WHERE
                    suppression.phone_hash = $1
                    AND suppression.channel = $2
                    AND suppression.reason = 'opted_out'
                    AND suppression.lifted_at IS NULL
            )
        );
$$;

-- Take back what a stop by reply did to a number: what a START reply does, or a person who has read
-- a reply that counted as a stop unread.
-- Grain: the number itself (contact_id 0), and every contact that the stop took out, however the number
-- was written. What was pressed on a landing page, or said in the CRM or a shop, stands: nothing but
-- the same way back lifts it. No message that the stop has cancelled comes back.
-- Reads: core.phone_alias, outbox.reply. Reads and writes: core.suppression, core.contact (status).
-- Parameters: phone_hash; channel; at: when it was said; is_unread_only: only what stands because nobody
-- had read a reply.
-- Twice: what is lifted stays so, with its first date.
CREATE FUNCTION core.opt_in_phone(
    phone_hash text, channel text, at timestamptz, is_unread_only boolean
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH lifted AS (
        UPDATE core.suppression AS suppression
        SET lifted_at = $3
        WHERE
            suppression.phone_hash = ANY(core.phone_hashes($1))
            AND suppression.channel = $2
            AND suppression.reason = 'opted_out'
            AND core.is_by_reply(suppression.source)
            AND (suppression.source = 'unread' OR NOT $4)
            AND (
                suppression.since < $3
                OR (suppression.source = 'unread' AND suppression.since = $3)
            )
            AND suppression.lifted_at IS NULL
            -- Who calls this need not be believed: the reply that says so is there.
            AND EXISTS (
                SELECT 1
                FROM outbox.reply AS said
                WHERE
                    said.phone_hash = ANY(core.phone_hashes($1))
                    AND said.received_at >= $3
                    AND (said.meaning = 'start' OR ($4 AND said.reviewed_at IS NOT NULL))
            )
        RETURNING suppression.contact_id, suppression.suppression_id
    )

    UPDATE core.contact AS contact
    SET status = 'active'
    FROM lifted
    WHERE
        contact.contact_id = lifted.contact_id
        AND contact.status = 'unsubscribed'
        AND NOT EXISTS (
            SELECT 1
            FROM core.suppression AS other
            WHERE
                other.contact_id = contact.contact_id
                AND other.reason IN ('opted_out', 'inactivity')
                AND other.lifted_at IS NULL
                AND NOT EXISTS (
                    SELECT 1
                    FROM lifted AS gone
                    WHERE
                        gone.contact_id = other.contact_id
                        AND gone.suppression_id = other.suppression_id
                )
        );
$$;

-- Leave a contact alone until a day: what a press on the page's button for a break does.
-- Grain: a contact and, where it was merged into another since its message, the other one: they are
-- one person. A break holds for the number, as every suppression does; what is queued is cancelled
-- when a sender claims it.
-- Reads: core.contact. Writes: core.suppression.
-- Parameters: contact_id; phone_hash: of the number the person was written to, NULL where it is not
-- known (then the contact's own); channel; source: what wrote it; at: when; until_on: the first
-- brand day after the break.
-- Running it twice leaves one break; another end replaces the first, unless it was asked for later; one
-- that was ended later does not begin again.
CREATE FUNCTION core.pause(
    contact_id bigint, phone_hash text, channel text, source text, at timestamptz, until_on date
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since, until)
    SELECT
        person.contact_id,
        coalesce($2, known.phone_hash),
        $3,
        CAST('paused' AS core.suppression_reason),
        $4,
        $5,
        $6
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT merged_into
        FROM core.contact
        WHERE contact_id = $1 AND merged_into IS NOT NULL
    ) AS person
    LEFT JOIN core.contact AS known ON person.contact_id = known.contact_id
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM core.suppression AS ended
            WHERE
                ended.contact_id = person.contact_id
                AND ended.channel = $3
                AND ended.reason = 'paused'
                AND ended.lifted_at > $5
        )
    ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL
    DO UPDATE
        SET until = excluded.until, since = excluded.since
        WHERE suppression.since <= excluded.since;
$$;

-- End a break that a person asked for, because they press the button for it. That they did is kept
-- where there is none, too: a break that was asked for before, but comes later, does not begin.
-- Grain: suppression of the contact, of the one it was merged into, or of the number.
-- Reads: core.contact, core.phone_alias. Writes: core.suppression. Parameters: contact_id; phone_hash: of the number,
-- NULL where it is not known; channel; at: when; a break that was asked for later stays, as an
-- opt-out does. Twice: nothing is left to lift.
CREATE FUNCTION core.resume(
    contact_id bigint, phone_hash text, channel text, at timestamptz
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE core.suppression
    SET lifted_at = $4
    WHERE
        suppression.reason = 'paused'
        AND suppression.lifted_at IS NULL
        AND suppression.since <= $4
        AND suppression.channel = $3
        AND (
            suppression.contact_id = $1
            OR suppression.contact_id = (
                SELECT contact.merged_into
                FROM core.contact AS contact
                WHERE contact.contact_id = $1
            )
            OR suppression.phone_hash = ANY(core.phone_hashes($2))
        );

    INSERT INTO core.suppression (contact_id, channel, reason, source, since, lifted_at)
    SELECT
        person.contact_id,
        $3,
        CAST('paused' AS core.suppression_reason),
        'landing',
        $4,
        $4
    FROM (
        SELECT $1 AS contact_id
        UNION
        SELECT contact.merged_into
        FROM core.contact AS contact
        WHERE contact.contact_id = $1 AND contact.merged_into IS NOT NULL
    ) AS person
    WHERE NOT EXISTS (
        SELECT 1
        FROM core.suppression AS ended
        WHERE
            ended.contact_id = person.contact_id
            AND ended.channel = $3
            AND ended.reason = 'paused'
            AND ended.lifted_at >= $4
    );
$$;
