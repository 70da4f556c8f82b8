-- All that the public link service may do in the warehouse, as the role reengage_web: it is the one
-- part that strangers reach. Who takes the service over can rewrite no text, no number and no time
-- of one, take back no stop (but as a START that is kept does), and reads no number, no email, no
-- text, no decision and no seed of a contest before its draw. Its login is this role, or a member
-- of it. Without the role there is nothing to grant: make it first (include/postgres/warehouse.sh).
-- Writes: the grants. Twice: the same ones.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reengage_web') THEN
        RETURN;
    END IF;

    REVOKE ALL ON
        core.contact, core.contact_attribute, core.interaction, core.phone_alias, core.phone_key,
        core.product, core.product_source, core.suppression,
        outbox.contest, outbox.contest_entry, outbox.coupon, outbox.hit, outbox.link, outbox.message,
        outbox.pool_code, outbox.receipt, outbox.reply, outbox.survey, outbox.verdict, outbox.webhook,
        outbox.drawing, outbox.judged_hit, outbox.used_code
    FROM reengage_web;

    GRANT USAGE ON SCHEMA core, outbox TO reengage_web;
    GRANT EXECUTE ON FUNCTION
        core.opt_out, core.opt_out_phone, core.opt_in_phone, core.pause, core.resume
    TO reengage_web;

    GRANT SELECT ON
        core.phone_alias, core.phone_key, core.product, core.product_source,
        outbox.link, outbox.drawing, outbox.judged_hit, outbox.used_code
    TO reengage_web;
    GRANT SELECT (contact_id, merged_into, status, phone_hash, language, country)
    ON core.contact TO reengage_web;
    GRANT
        SELECT,
        INSERT (contact_id, phone_hash, channel, reason, source, since)
    ON core.suppression TO reengage_web;
    GRANT SELECT, INSERT, DELETE, UPDATE (value, said_at, message_id)
    ON core.contact_attribute TO reengage_web;
    GRANT SELECT (contact_id, source, kind, occurred_at, occurred_on, product_id)
    ON core.interaction TO reengage_web;

    GRANT
        SELECT (
            contact_id, message_id, step, channel, phone_hash, status, status_at, bulk_id, error_code,
            segments, price, currency, accepted_at, delivered_at
        ),
        UPDATE (
            status, status_at, error_code, segments, price, currency, accepted_at, delivered_at
        )
    ON outbox.message TO reengage_web;
    GRANT
        SELECT,
        INSERT (
            code, message_id, contact_id, role, kind, value, minimum, currency, starts_at,
            expires_at, made_at, day_began_at
        )
    ON outbox.coupon TO reengage_web;
    GRANT SELECT, UPDATE (contact_id, message_id, role, taken_at) ON outbox.pool_code TO reengage_web;
    GRANT
        SELECT (contest, drawn_at),
        INSERT (contest, seed, commitment, seen_at),
        UPDATE (seen_at)  -- for a lock against the draw
    ON outbox.contest TO reengage_web;
    GRANT
        SELECT,
        INSERT (contact_id, contest, phone_hash, message_id, ticket, confirmed, entered_at)
    ON outbox.contest_entry TO reengage_web;

    GRANT SELECT, INSERT ON outbox.hit TO reengage_web;
    GRANT SELECT, INSERT, UPDATE (version, rule) ON outbox.verdict TO reengage_web;
    GRANT SELECT, INSERT, UPDATE (answers, words, policy_version, changed_at)
    ON outbox.survey TO reengage_web;
    GRANT SELECT, INSERT, UPDATE (mapped_at, error, body) ON outbox.webhook TO reengage_web;
    GRANT SELECT, INSERT, UPDATE (applied_at) ON outbox.receipt TO reengage_web;
    GRANT
        SELECT (
            reply_id, provider, provider_reply_id, phone_hash, meaning, received_at, reviewed_at,
            counted_at
        ),
        INSERT,
        UPDATE (meaning, reviewed_at, counted_at)
    ON outbox.reply TO reengage_web;
END;
$$;
