"""PostgreSQL: one database a desk, all of its tables in one schema."""

from tmt.adapters.postgres.database import Database

__all__ = ["Database"]
