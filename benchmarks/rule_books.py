"""What each gate did to the recorded markets, under each rule book.

    python -m benchmarks.rule_books DATA [--quick]

DATA is the folder of recorded market data. Every data set is replayed through the whole desk once for each packaged
rule book, all else as packaged; a replay under one book differs from the next by that book's rules alone. No time is
taken: this is a report, and the same on every machine. `--quick` takes two data sets and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.report import Report
from tests.replay.recorded import RECORDINGS, named, open_recorded
from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.sections import load_config

BOOKS: Final = tuple(
    sorted(
        file.name.removesuffix(".yml")
        for file in (importlib.resources.files("tmt") / "defaults" / "rule_books").iterdir()
        if file.name.endswith(".yml")
    )
)
METHOD: Final = (
    "Each data set is replayed through the whole desk (eight agents, paper venue, SQLite log) once a rule book. A"
    " rule's row counts the orders that it let pass after a measurement, warned of, cut, or refused. R is the money a"
    " trade risked at its first stop; net R is the sum over round trips after fees. The BTCUSD minutes are single days"
    " months apart: what is held into such a gap leaves at the first price after it, however far from its stop."
)


class Replayed(msgspec.Struct):
    """One data set under one book."""

    data: str
    book: str
    rules: dict[str, dict[str, int]]
    counts: dict[str, int]
    net_r: float
    equity_fraction: float


def replayed(data: str, name: str, book: str) -> Replayed:
    recording = named(name)
    accounts = load_config(None).sections["accounts"].accounts
    overrides = tuple(f"accounts.accounts.{index}.rule_book={book}" for index in range(len(accounts)))
    rules: dict[str, Counter[str]] = {}
    net_r = 0.0
    with tempfile.TemporaryDirectory() as folder:
        desk = open_recorded(recording, Path(data), Path(folder) / "book", overrides=overrides)
        desk.start()
        for batch in desk.batches():
            desk.take(batch)
        for recorded in desk.log.read(types=tuple(kind.__name__ for kind in (*m.GATES, m.PositionClosed))):
            message = m.decode(recorded.body)
            if isinstance(message, m.GateApproval | m.OrderDenied):
                for check in message.checks:
                    rules.setdefault(_rule(check.rule), Counter())[check.outcome] += 1
            elif isinstance(message, m.PositionClosed) and message.risk_amount > ZERO:
                net_r += float(message.realised - message.fees) / float(message.risk_amount)
        account = next(each for each in desk.portfolio.accounts if recording.symbol in each.instruments)
        equity = desk.portfolio.equity(account.account_id)
        assert equity is not None
        counts = dict(desk.runner.counts)
        assert "InvariantBroken" not in counts
        desk.close()
    return Replayed(
        name, book, {k: dict(v) for k, v in rules.items()}, counts, net_r, float(equity) / float(account.deposit) - 1
    )


def _rule(rule: str) -> str:
    """Without the names of instruments and currencies, which would make a row of each."""
    gate, name, *_ = rule.split(".")
    return f"{gate}.{name}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    names = ("spy-trades", "btcusdt-tape") if chosen.quick else tuple(each.name for each in RECORDINGS)
    report = Report("rule_books", "The recorded markets under each rule book", METHOD, ("tmt-trading",))
    jobs = [(str(chosen.data), name, book) for name in names for book in BOOKS]
    with ProcessPoolExecutor(2) as pool:
        runs = list(pool.map(replayed, *zip(*jobs, strict=True)))
    report.add("Outcomes", [_outcome(run) for run in runs])
    for book in BOOKS:
        report.add(f"Rules under {book}", _rules([run for run in runs if run.book == book]))
    if not chosen.quick:
        report.write()
    return 0


def _outcome(run: Replayed) -> dict[str, Any]:
    count = run.counts.get
    return {
        "data": run.data,
        "book": run.book,
        "signals": count("SignalRaised", 0),
        "exits raised": count("ExitRaised", 0),
        "denied": count("OrderDenied", 0),
        "released": count("OrderReleased", 0),
        "fills": count("OrderFilled", 0),
        "round trips": count("PositionClosed", 0),
        "suspensions": count("AccountSuspended", 0),
        "breakers opened": count("BreakerOpened", 0),
        "net R": run.net_r,
        "equity": f"{run.equity_fraction:+.4f}",
    }


def _rules(runs: list[Replayed]) -> list[dict[str, Any]]:
    total: dict[str, Counter[str]] = {}
    for run in runs:
        for rule, outcomes in run.rules.items():
            total.setdefault(rule, Counter()).update(outcomes)
    return [
        {
            "rule": rule,
            "passed": outcomes["pass"],
            "warned": outcomes["warn"],
            "cut": outcomes["reduce"],
            "refused": outcomes["deny"],
        }
        for rule, outcomes in total.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
