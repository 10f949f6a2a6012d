"""What slicing saves or costs: the same parents on the same recorded tape, once in slices and once whole.

    python -m benchmarks.slicing [--quick]

Runs the whole desk over the recorded BTCUSDT tape (of TMT_TEST_DATA, else `shared/data` beside the checkout) and writes
`results/slicing.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Final, NamedTuple

from benchmarks.report import Report
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.opening import open_replay
from tmt.bootstrap import Desk, open_desk
from tmt.config import Loaded
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.market.batch import MarketBatch
from tmt.sections import load_config

HERE: Final = Path(__file__).parent
SYMBOL: Final = "BTCUSDT"
ACCOUNT: Final = "whale"
WARM_UP_SECONDS: Final = 30
SECOND_NS: Final = 10**9
STOP_DISTANCE: Final = Decimal(2000)
DESK_SETTINGS: Final = (
    "market.timeframes=[1s, 5s, 15s, 1m]",
    "wyckoff.signal.confidence_min=1",
    "circuit_breaker.account.consecutive_losses_max=1000000",
    "circuit_breaker.agent.consecutive_losses_max=1000000",
    "human_behavior.cool_down.losses_in_a_row=1000000",
    "human_behavior.entries.per_hour_max=1000",
    "human_behavior.entries.per_day_max=1000",
    "human_behavior.cool_down.revenge_seconds=1",
    "human_behavior.chasing.size_after_loss_ratio_max=1000",
    "human_behavior.disposition.ratio_reduce=1000000",
    "human_behavior.slicing.interval_seconds=2",
    "human_behavior.slicing.participation_fraction_max=0.1",
    "human_behavior.slicing.slices_max=5",
    "human_behavior.slicing.volume.bars_min=10",
    "human_behavior.slicing.trial.retry_after_parents=1000000",
    "human_behavior.slicing.trial.parents_min=1000000",
    "human_behavior.slicing.trial.parents_remembered=1000000",
)

METHOD = """\
The whole desk replays the recorded tape (346 s of BTCUSDT quotes and trades with displayed sizes). A person asks for a
market order (GTC, so that all of it fills) of the same size every 12 s from the 31st second on, buying and selling in
turn. Each size is run with every parent in slices (five, 2 s apart, sizes and times varied as packaged; POV: up to ten,
a tenth of what trades) and with every parent whole. Shortfall is that of `ScheduleEnded`: mean price of the fills
against the touch at the release, in basis points, positive when worse; what stays unfilled is not priced. The paper
venue fills a taker up to the displayed size, a row at a time, a tick beyond the touch once that is used up. The
recorded market does not react to the desk's orders: impact that lasts is missing, and with it what slicing is for.
Differences are of the same parent, sliced less whole, with the standard error of their mean. Fees are the same."""


class Arm(NamedTuple):
    name: str
    settings: tuple[str, ...]


SLICED: Final = (
    Arm("twap", ("human_behavior.slicing.algorithm=twap", "human_behavior.slicing.trial.whole_fraction=0")),
    Arm("pov", ("human_behavior.slicing.algorithm=pov", "human_behavior.slicing.trial.whole_fraction=0")),
)
WHOLE: Final = Arm("whole", ("human_behavior.slicing.trial.whole_fraction=1",))


def main() -> None:
    """Run every size with every arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one size; writes nothing")
    quick = parser.parse_args().quick
    report = Report("slicing", "Does slicing pay?", METHOD, ("numpy",))
    lines: list[dict[str, Any]] = []
    for quantity in ("4",) if quick else ("1", "4", "10"):
        whole = costs(WHOLE, Decimal(quantity))
        lines += [line(quantity, arm.name, costs(arm, Decimal(quantity)), whole) for arm in SLICED]
    report.add("Shortfall in basis points, by size of the parent in BTC", lines)
    saved = sum(-each["difference, mean"] > 2 * each["standard error"] for each in lines)
    lost = sum(each["difference, mean"] > 2 * each["standard error"] for each in lines)
    report.note(
        f"By more than two standard errors slicing was cheaper in {saved} of {len(lines)} lines, dearer in {lost}."
    )
    if not quick:
        report.write()


def line(
    quantity: str, name: str, slices: Mapping[str, m.ScheduleEnded], at_once: Mapping[str, m.ScheduleEnded]
) -> dict[str, Any]:
    """One size and one algorithm, beside immediate execution."""
    both = [trail for trail in slices if trail in at_once]
    sliced, whole = [slices[each] for each in both], [at_once[each] for each in both]
    paid, paid_at_once = points(sliced), points(whole)
    differences = [ours - theirs for ours, theirs in zip(paid, paid_at_once, strict=True)]
    return {
        "BTC": int(quantity),
        "algorithm": name,
        "parents": len(paid),
        "filled, sliced": fmean(float(each.filled) for each in sliced) / int(quantity),
        "filled, whole": fmean(float(each.filled) for each in whole) / int(quantity),
        "sliced, mean": fmean(paid),
        "whole, mean": fmean(paid_at_once),
        "sliced, deviation": stdev(paid),
        "whole, deviation": stdev(paid_at_once),
        "difference, mean": fmean(differences),
        "difference, median": median(differences),
        "standard error": stdev(differences) / len(differences) ** 0.5,
    }


def points(ends: Sequence[m.ScheduleEnded]) -> list[float]:
    """Shortfalls in basis points."""
    for each in ends:
        assert each.reason == "completed", each
        assert each.shortfall_fraction is not None, each
    return [float(each.shortfall_fraction or 0) * 10_000 for each in ends]


def costs(arm: Arm, quantity: Decimal) -> dict[str, m.ScheduleEnded]:
    """How each parent ended, by its trail; one that the tape's end cut off is left out."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        config.mkdir()
        (config / "accounts.yml").write_text(ACCOUNTS)
        loaded = load_config(config, overrides=(*DESK_SETTINGS, *arm.settings))
        book = Path(folder) / "book"
        book.mkdir()
        desk = open_tape(loaded, book)
        trade(desk, quantity)
        ends = [m.decode(each.body) for each in desk.log.read(types=("ScheduleEnded",))]
        broken = [m.decode(each.body) for each in desk.log.read(types=("InvariantBroken", "OrderDenied"))]
        desk.close()
    assert not broken, broken[0]
    return {each.correlation_id: each for each in ends if isinstance(each, m.ScheduleEnded)}


ACCOUNTS: Final = f"""\
accounts:
  - account_id: {ACCOUNT}
    currency: USDT
    deposit: 1000000000
    instruments: [{SYMBOL}]
    rule_book: default
    time_zone: UTC
    day_starts_at: "00:00"
"""


def open_tape(loaded: Loaded, book: Path) -> Desk:
    """A desk over the recorded tape."""
    data = Path(os.environ.get("TMT_TEST_DATA", HERE.parent / ".." / "shared" / "data"))
    instrument = next(each for each in loaded.sections["instruments"].instruments if each.symbol == SYMBOL)
    tape = data / "btcusdt_binance_tape" / "btcusdt_20240808.gz"
    feed = open_replay([tape], instrument, loaded.sections["feeds"], 8192)
    desk = open_desk(loaded, feed, book, mode="replay", seed=1, clock=SystemClock())
    desk.start()
    return desk


def trade(desk: Desk, quantity: Decimal) -> None:
    """Ask for a parent every so often."""
    asked = 0
    for rows, asks in cut_at(desk, 12 * SECOND_NS):
        desk.take(rows)
        mark = desk.portfolio.mark(SYMBOL)
        if asks and mark is not None:
            side = Side.SELL if asked % 2 else Side.BUY
            proposal = m.OrderProposed.root(
                "benchmark",
                desk.runner.timeline.now_ns,
                str(asked),
                account=ACCOUNT,
                instrument=SYMBOL,
                side=side,
                quantity=quantity,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.GTC,
                person="benchmark",
                strategy="manual",
                stop_loss_price=mark.bid - STOP_DISTANCE * side.sign,
            )
            desk.command(proposal)
            asked += 1


def cut_at(desk: Desk, every_ns: int) -> Iterator[tuple[MarketBatch, bool]]:
    """The tape in pieces that end where a parent is asked for, and whether one is."""
    next_ns = 0
    for batch in desk.batches():
        start = 0
        next_ns = next_ns or int(batch.time_ns[0]) + WARM_UP_SECONDS * SECOND_NS
        while start < len(batch):
            stop = int(batch.time_ns.searchsorted(next_ns))
            reached = stop < len(batch)
            if stop > start:
                yield batch.rows(start, stop), reached
            start = max(stop, start) if reached else len(batch)
            next_ns += every_ns if reached else 0


if __name__ == "__main__":
    main()
