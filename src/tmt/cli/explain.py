"""`tmt explain`: what an error code means."""

from __future__ import annotations

import re

from tmt.cli.exit_codes import ExitCode
from tmt.cli.explanations import explanations
from tmt.cli.folders import Chosen
from tmt.cli.results import CodeExplained, CodesExplained
from tmt.cli.terminal import Terminal, table
from tmt.config.source import did_you_mean
from tmt.errors import InputError


def run(terminal: Terminal, chosen: Chosen, code: str | None) -> None:
    """`tmt explain`."""
    known = explanations()
    wanted = known if code is None else {_normal(code): known.get(_normal(code), "")}
    if not all(wanted.values()):
        error = InputError("TMT-X009", f"there is no error code {code!r}", fix=did_you_mean(_normal(str(code)), known))
        error.exit_code = ExitCode.NOTHING_FOUND
        raise error
    answer = CodesExplained(codes=tuple(CodeExplained(code=each, text=text) for each, text in wanted.items()))
    rows: list[tuple[str, ...]] = list(wanted.items())
    terminal.answer(answer, table(rows))


def _normal(code: str) -> str:
    found = re.fullmatch(r"(?:TMT-?)?([A-Z])-?(\d+)", code.strip().upper())
    return code if found is None else f"TMT-{found[1]}{found[2]:0>3}"
