"""Alembic's entry point: runs the migrations of the warehouse on the connection it is given."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="reengage_migrations")
with context.begin_transaction():
    context.run_migrations()
