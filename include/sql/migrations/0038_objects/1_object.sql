-- The files of include/sql/objects that this warehouse has, so that a migrate which finds nothing
-- new does nothing, and drops what no file makes any more.
CREATE TABLE core.object (
    name text PRIMARY KEY,                -- the file: core/withdrawal.sql is core.withdrawal
    applied text NOT NULL,                -- digest of all files and the revision; '' when set aside
    kept text[] NOT NULL DEFAULT '{}'     -- of one set aside: what gives back its owner and grants
);
