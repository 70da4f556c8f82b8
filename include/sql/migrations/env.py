"""Alembic's entry point: runs the migrations of the warehouse on the connection it is given.

Each revision is a transaction of its own: a value that one adds to an enum may be used by the next
(PostgreSQL forbids it in the same transaction), and a run that was killed goes on where it was.
At the newest revision, the views, functions and words of include/sql/objects follow.
"""

from alembic import context

from reengage import objects

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table="reengage_migrations", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()

if context.config.attributes["is_newest"]:
    objects.apply(connection, context.get_head_revision())
    connection.commit()
