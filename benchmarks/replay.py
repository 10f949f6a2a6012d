"""Ticks a second and CPU an order of the whole desk, beside NautilusTrader on the same ticks with the same order rule.

`python benchmarks/replay.py [--runs N] [--quick]` prints method, versions and a table, and writes both to
`benchmarks/results/`. Recorded market data are those of TMT_TEST_DATA, else `shared/data` beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import environment  # type: ignore[import-not-found]  # a script finds its neighbours by itself
import numpy as np

from tmt.adapters.feed.opening import open_replay
from tmt.sections import load_config

HERE = Path(__file__).parent
NAUTILUS = "nautilus_trader==1.221.0"
QUICK_TICKS = 60_000

METHOD = """\
Each engine runs in a process of its own; engines alternate, one uncounted run each, then the counted ones. CPU seconds
(user and system, all threads) and wall seconds are of the run alone: loading the quotes, converting them into each
engine's own form and compiling are not counted. Figures are medians; the ratio is the median of the ratios of pairs of
neighbouring runs, and says more than the figures, because others use the machine. Memory is the process's peak.
Rule: a market order of 1,000 EURUSD at every N-th tick from the 1,000th on, buying and selling in turn; every order
must fill. TMT: all eight agents, Wyckoff on the bars of six timeframes, every message in the SQLite log (full
synchronous, a commit each 8,192 ticks); a buy carries a protective stop, a sell is reduce-only. NautilusTrader: its
back-test engine with risk and execution engine, logging off, nothing on disk; its orders carry no stop.
CPU an order = (CPU with orders - CPU without) / orders. For TMT it includes cutting the ticks at every order and
revaluing the account at every bar while a position is open, which is most of it where orders are rare. The limits that
were raised so that no gate refuses are listed in the benchmarks' README; every gate still runs."""


class Engine(NamedTuple):
    name: str
    command: list[str]
    arguments: tuple[str, ...] = ()


class Case(NamedTuple):
    name: str
    every: int


CASES = (Case("no orders", 0), Case("an order every 1,000 ticks", 1000), Case("an order every 10 ticks", 10))
Run = dict[str, Any]


def write_quotes(target: Path, ticks_max: int | None) -> list[str]:
    """Store time_ns, bid and ask (in quanta of 1e-5) of the EURUSD ticks; what the feed says of its sources."""
    data = Path(os.environ.get("TMT_TEST_DATA", HERE.parent / ".." / "shared" / "data"))
    sections = load_config(None).sections
    instrument = next(i for i in sections["instruments"].instruments if i.symbol == "EURUSD")
    feed = open_replay([data / "eurusd_quotes_tick"], instrument, sections["feeds"], 8192)
    batches = list(feed.batches())
    time_ns, bid, ask = (
        np.concatenate([getattr(batch, name) for batch in batches])[:ticks_max] for name in ("time_ns", "bid", "ask")
    )
    np.savez(target, time_ns=time_ns, bid=bid, ask=ask)
    return list(feed.sources)


def engines() -> list[Engine]:
    ours = [sys.executable, str(HERE / "peers" / "tmt_replay.py")]
    theirs = [str(environment.peer_python("nautilus-1.221", NAUTILUS)), str(HERE / "peers" / "nautilus_replay.py")]
    return [
        Engine("TMT", ours),
        Engine("NautilusTrader", theirs),
        Engine("TMT, oracle (one tick at a time)", ours, ("--one-row-at-a-time",)),
    ]


def run(engine: Engine, quotes: Path, every: int) -> Run:
    """One run; every order must have filled."""
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [*engine.command, str(quotes), str(every), *engine.arguments]
    done = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, text=True, check=True)
    told: Run = json.loads(done.stdout.splitlines()[-1])
    assert told["orders"] == told["fills"], told
    return told


def measure(quotes: Path, runs: int) -> Iterator[tuple[Case, Engine, list[Run]]]:
    """Every case by every engine that takes part in it; the oracle only where orders are rare."""
    everybody = engines()
    for case in CASES:
        taking_part = everybody if case.every == 1000 else everybody[:2]
        told: dict[str, list[Run]] = {engine.name: [] for engine in taking_part}
        for round_ in range(runs + 1):
            for engine in taking_part:
                result = run(engine, quotes, case.every)
                print(f"{case.name}, {engine.name}: {result['cpu_seconds']:.2f} s", file=sys.stderr)
                if round_:
                    told[engine.name].append(result)
        for engine in taking_part:
            yield case, engine, told[engine.name]


def summary(case: Case, engine: Engine, runs: list[Run], first: list[Run], idle_cpu_seconds: float | None) -> Run:
    """One line of the table; `first` are the runs of TMT in this case, `idle_cpu_seconds` is without orders."""
    cpu = [each["cpu_seconds"] for each in runs]
    orders = runs[0]["orders"]
    per_order = None
    if orders and idle_cpu_seconds is not None:
        per_order = (median(cpu) - idle_cpu_seconds) / orders * 1e6
    return {
        "case": case.name,
        "engine": engine.name,
        "version": runs[0]["engine"],
        "ticks": runs[0]["ticks"],
        "orders": orders,
        "ticks_per_cpu_second": runs[0]["ticks"] / median(cpu),
        "cpu_seconds": median(cpu),
        "cpu_seconds_min": min(cpu),
        "cpu_seconds_max": max(cpu),
        "wall_seconds": median(each["wall_seconds"] for each in runs),
        "cpu_microseconds_per_order": per_order,
        "memory_mb": max(each["memory_mb"] for each in runs),
        "times_slower_than_tmt": median(
            mine["cpu_seconds"] / ours["cpu_seconds"] for mine, ours in zip(runs, first, strict=True)
        ),
        "runs": runs,
    }


def table(lines: list[Run]) -> str:
    head = (
        "| case | engine | ticks per CPU second | CPU seconds (min to max) | CPU an order | memory "
        "| CPU, as a multiple of TMT's |\n|---|---|--:|--:|--:|--:|--:|"
    )
    rows = []
    for line in lines:
        per_order = line["cpu_microseconds_per_order"]
        spread = f"{line['cpu_seconds']:.2f} ({line['cpu_seconds_min']:.2f} to {line['cpu_seconds_max']:.2f})"
        told = "" if per_order is None else f"{per_order:,.0f} µs"
        rows.append(
            f"| {line['case']} | {line['engine']} | {line['ticks_per_cpu_second']:,.0f} | {spread} | {told} "
            f"| {line['memory_mb']:.0f} MB | {line['times_slower_than_tmt']:.2f} |"
        )
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each engine and case")
    parser.add_argument("--quick", action="store_true", help=f"one run over {QUICK_TICKS} ticks; nothing is written")
    given = parser.parse_args()
    lines: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        quotes = Path(folder) / "quotes.npz"
        sources = write_quotes(quotes, QUICK_TICKS if given.quick else None)
        idle: dict[str, float] = {}
        first: list[Run] = []
        for case, engine, runs in measure(quotes, 1 if given.quick else given.runs):
            if engine.name == "TMT":
                first = runs
            lines.append(summary(case, engine, runs, first, idle.get(engine.name)))
            if not case.every:
                idle[engine.name] = lines[-1]["cpu_seconds"]
    versions = ", ".join(sorted({line["version"] for line in lines}))
    about = environment.describe()
    machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.items())
    counted = len(lines[0]["runs"])
    text = f"# Replay of quotes\n\n{METHOD}\n\n{versions}; {machine}; {counted} counted runs.\n\n{table(lines)}\n"
    print(text)
    if not given.quick:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        written = {"method": METHOD, "environment": about, "sources": sources, "lines": lines}
        (results / "replay.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        (results / "replay.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
