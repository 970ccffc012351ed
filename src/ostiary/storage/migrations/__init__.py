"""The one history of the schema, run by Alembic on a plain synchronous engine. No revision imports a rib."""
