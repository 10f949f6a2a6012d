"""Revisions of the database, run by Alembic in the order of their numbers."""
