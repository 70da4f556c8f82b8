-- Which revision of the migrations the warehouse is at: Alembic's own note.
-- Grain: one row. Reads: reengage_migrations. No parameters. Writes nothing.
SELECT noted.version_num
FROM reengage_migrations AS noted;
