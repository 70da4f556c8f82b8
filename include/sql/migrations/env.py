"""Alembic's entry point: runs the migrations of the warehouse on the connection it is given.

Each revision is a transaction of its own: a value that one adds to an enum may be used by the next
(PostgreSQL forbids it in the same transaction), and a run that was killed goes on where it was.
"""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table="reengage_migrations", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
