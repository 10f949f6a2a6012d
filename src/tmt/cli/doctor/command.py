"""`tmt doctor`: checks with evidence, and the command that mends what is wrong. Works offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tmt import __version__
from tmt.cli.doctor import book, machine, program
from tmt.cli.doctor.bundle import write_bundle
from tmt.cli.exit_codes import ExitCode
from tmt.cli.folders import Chosen
from tmt.cli.results import Diagnosis, Finding
from tmt.cli.terminal import Terminal
from tmt.errors import TmtError

_MARKS: Final = {"ok": "ok     ", "info": "info   ", "warning": "WARNING", "broken": "BROKEN "}


def run(terminal: Terminal, chosen: Chosen, port: int, bundle: str | None) -> int:
    """`tmt doctor`."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        *machine.checks(chosen.state_folder, port),
        *program.checks(chosen),
        *book.checks(chosen),
    ]
    findings = tuple(_checked(name, check) for name, check in checks)
    healthy = all(finding.outcome != "broken" for finding in findings)
    answer = Diagnosis(version=__version__, healthy=healthy, findings=findings, bundle=bundle)
    if bundle is not None:
        write_bundle(Path(bundle), answer, chosen)
    terminal.answer(answer, _text(answer))
    return ExitCode.OK if healthy else ExitCode.INVARIANT_BROKEN


def _checked(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except TmtError as error:
        return Finding(name=name, outcome="broken", evidence=str(error), fix=error.fix or f"tmt explain {error.code}")
    except Exception as error:  # noqa: BLE001  a check that fails is a finding, not the end of the others
        return Finding(
            name=name, outcome="broken", evidence=f"{type(error).__name__}: {error}", fix="tmt doctor --bundle"
        )


def _text(answer: Diagnosis) -> str:
    lines = [f"tmt {answer.version}"]
    for finding in answer.findings:
        lines.append(f"{_MARKS[finding.outcome]} {finding.name}: {finding.evidence}")
        if finding.fix and finding.outcome in {"warning", "broken"}:
            lines.append(f"        fix: {finding.fix}")
    counts = {outcome: sum(each.outcome == outcome for each in answer.findings) for outcome in _MARKS}
    lines.append(f"{len(answer.findings)} checks: {counts['broken']} broken, {counts['warning']} warnings")
    if answer.bundle:
        lines.append(f"written: {answer.bundle}; look at it before you send it")
    return "\n".join(lines)
