"""`tmt database`: the schema of a desk of several processes."""

from __future__ import annotations

import msgspec

from tmt.adapters.postgres.database import newest_revision
from tmt.cli.folders import Chosen
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.processes import open_database


class SchemaAt(msgspec.Struct, frozen=True, kw_only=True):
    """The schema's revision before and after; empty is a schema without tables."""

    where: str
    before: str
    after: str
    newest: str


def migrate(terminal: Terminal, chosen: Chosen, revision: str) -> None:
    """`tmt database migrate`."""
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    with open_database(loaded, "tmt-migrate") as database:
        before = database.revision()
        database.migrate(revision)
        answer = SchemaAt(
            where=database.where, before=before or "", after=database.revision() or "", newest=newest_revision()
        )
    terminal.answer(answer, f"{answer.where}: {answer.before or 'empty'} -> {answer.after}")
