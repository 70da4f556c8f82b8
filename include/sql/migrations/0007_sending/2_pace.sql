-- The pace of an account, or of a number that it writes from: when its next request may begin, for
-- all senders on all machines. By the database's clock, since those machines' clocks differ.
-- UNLOGGED: after a crash of the server the pace begins anew, and that takes longer than a turn.
CREATE UNLOGGED TABLE outbox.pace (
    key text PRIMARY KEY,           -- provider, host and account; and the number, where it is one's
    next_at timestamptz NOT NULL
) WITH (fillfactor = 50);
