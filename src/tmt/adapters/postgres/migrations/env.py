"""What Alembic runs around the revisions: the schema, and on a server the connection, come from `migration`."""

from alembic import context
from sqlalchemy import text

schema: str = context.config.attributes["schema"]
connection = context.config.attributes["connection"]

if connection is None:
    # With named parameters a percent sign is written as it is.
    named = {"paramstyle": "named"}
    context.configure(dialect_name="postgresql", dialect_opts=named, version_table_schema=schema)
else:
    context.configure(connection=connection, version_table_schema=schema)

with context.begin_transaction():
    for statement in (f'CREATE SCHEMA IF NOT EXISTS "{schema}"', f'SET LOCAL search_path TO "{schema}"'):
        if connection is None:
            context.execute(statement)
        else:
            connection.execute(text(statement))
    context.run_migrations()
