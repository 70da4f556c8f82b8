-- What the public link service may do in the warehouse, as the role reengage_web: it is the one part
-- that strangers reach. It sees no number, no email, no source's row, no decision and no seed of a
-- contest before its draw, and takes back no entry. Its login is this role, or
-- a member of it. Whoever migrates and may make no roles is told so: make it first.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reengage_web') THEN
        CREATE ROLE reengage_web NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'The role reengage_web is not there, and % may not make it: the link service '
            'has no narrow login. See include/postgres/warehouse.sh.', current_user;
    WHEN duplicate_object OR unique_violation THEN
        NULL;  -- another database of this server was faster
END;
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reengage_web') THEN
        RETURN;
    END IF;

    GRANT USAGE ON SCHEMA core, outbox TO reengage_web;

    GRANT
        SELECT (contact_id, merged_into, status, phone_hash, language, country),
        UPDATE (status)
    ON core.contact TO reengage_web;
    GRANT SELECT, INSERT, UPDATE ON core.suppression TO reengage_web;
    GRANT SELECT, INSERT, UPDATE, DELETE ON core.contact_attribute TO reengage_web;
    GRANT SELECT ON core.product, core.product_source, core.interaction TO reengage_web;

    GRANT SELECT ON outbox.link, outbox.drawing, outbox.judged_hit, outbox.used_code TO reengage_web;
    GRANT SELECT, INSERT ON outbox.hit, outbox.coupon, outbox.contest_entry TO reengage_web;
    GRANT SELECT, INSERT, UPDATE ON
        outbox.verdict, outbox.survey, outbox.webhook, outbox.receipt, outbox.reply
    TO reengage_web;
    GRANT SELECT, UPDATE ON outbox.message, outbox.pool_code TO reengage_web;
    GRANT
        SELECT (contest, drawn_at),
        INSERT,
        UPDATE (seen_at)  -- for a lock against the draw
    ON outbox.contest TO reengage_web;
END;
$$;
