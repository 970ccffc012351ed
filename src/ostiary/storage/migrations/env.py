"""Owns how Alembic runs here: on the connection that `migrate.py` hands over, never on one of its own."""

from alembic import context

from ostiary.storage.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
