"""Hand-made schematics, drawn bar by bar in whole ticks, and what the agent makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from importlib.resources import files
from typing import NamedTuple

import msgspec
import yaml

from tmt.agents.wyckoff import WyckoffAgent, WyckoffConfig
from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.money import decode_hook
from tmt.domain.session import SessionHours
from tmt.market.bar import Bar, Timeframe
from tmt.messages import BarClosed, Message, PhaseChanged, SessionStarted, SignalRaised, WyckoffEventSeen

SYMBOL = "TEST"
MIRROR_TICKS = 20_000
MIRROR_EVIDENCE = {
    "support": "resistance",
    "resistance": "support",
    "rally": "reaction",
    "spring_low": "upthrust_high",
}
MIRROR_NAMES = {
    "PS": "PSY", "SC": "BC", "AR": "AR", "ST": "ST", "spring": "UTAD", "shakeout": "UTAD", "test": "test",
    "SOS": "SOW", "LPS": "LPSY", "BU": "BU", "failure": "failure",
}  # fmt: skip
MIRROR_SETUPS = {"spring": "UTAD", "spring_test": "UTAD_test", "LPS": "LPSY", "SOS_back_up": "SOW_back_up"}


class Ticks(NamedTuple):
    """A bar in whole ticks."""

    open: int
    high: int
    low: int
    close: int
    effort: int


def config() -> WyckoffConfig:
    """The defaults."""
    text = files("tmt").joinpath("defaults/wyckoff.yml").read_text()
    raw = yaml.load(text, Loader=yaml.BaseLoader)
    return msgspec.convert(raw, WyckoffConfig, strict=False, dec_hook=decode_hook)


def instrument(tick: str = "0.01") -> Instrument:
    return Instrument(
        symbol=SYMBOL,
        asset_class=AssetClass.EQUITY,
        base_currency="",
        quote_currency="USD",
        tick_size=Decimal(tick),
        price_quantum=Decimal(tick),
        lot_size=Decimal(1),
        point_value=Decimal(1),
        quantity_min=Decimal(1),
        notional_min=Decimal(0),
        session=SessionHours(time_zone="UTC", open=(), day_starts_at="00:00"),
    )


def bars_of(
    drawn: Iterable[Ticks], tick: str = "0.01", timeframe: Timeframe = Timeframe.M5, counted: bool = False
) -> list[Bar]:
    """Bars from ticks; `counted` puts the effort into the tick count, as a feed without volume does."""
    size, length_ns = Decimal(tick), timeframe.nanoseconds
    return [
        Bar(
            instrument=SYMBOL,
            timeframe=timeframe,
            start_ns=number * length_ns,
            end_ns=(number + 1) * length_ns,
            open=size * each.open,
            high=size * each.high,
            low=size * each.low,
            close=size * each.close,
            volume=Decimal(0 if counted else each.effort),
            tick_count=each.effort if counted else 1,
            bid=size * (each.close - 1),
            ask=size * (each.close + 1),
        )
        for number, each in enumerate(drawn)
    ]


def started(of: Instrument) -> SessionStarted:
    return SessionStarted.root(
        "desk",
        0,
        "start",
        mode="test",
        software_version="0",
        config_hash="",
        seed=0,
        inputs=(),
        simulated=False,
        instruments=(of,),
    )


def deliver(agent: WyckoffAgent, message: Message) -> list[Message]:
    """What follows from `message`, each delivered back before the next sibling, as the runner does."""
    told: list[Message] = []
    for product in agent.handle(message):
        told += [product, *deliver(agent, product)]
    return told


def closed(bar: Bar) -> BarClosed:
    return BarClosed.root("market", bar.end_ns, bar.instrument, bar.timeframe, str(bar.start_ns), bar=bar)


def analyse(bars: Sequence[Bar], rules: WyckoffConfig | None = None, of: Instrument | None = None) -> list[Message]:
    """Everything the agent says of `bars`."""
    agent = WyckoffAgent(config() if rules is None else rules)
    deliver(agent, started(instrument() if of is None else of))
    return [told for bar in bars for told in deliver(agent, closed(bar))]


def events(told: Iterable[Message]) -> list[WyckoffEventSeen]:
    return [each for each in told if isinstance(each, WyckoffEventSeen)]


def signals(told: Iterable[Message]) -> list[SignalRaised]:
    return [each for each in told if isinstance(each, SignalRaised)]


def phases(told: Iterable[Message]) -> list[str]:
    return [each.phase for each in told if isinstance(each, PhaseChanged)]


def mirrored(drawn: Iterable[Ticks]) -> list[Ticks]:
    top = MIRROR_TICKS
    return [Ticks(top - each.open, top - each.low, top - each.high, top - each.close, each.effort) for each in drawn]


class Drawing:
    """A pencil: bars are added at the last close."""

    def __init__(self, close: int = 10_000) -> None:
        self.close = close
        self.bars: list[Ticks] = []

    def bar(self, low: int, high: int, close: int, effort: int) -> Drawing:
        """One bar as given; it opens at the last close, or at its own edge."""
        opened = min(max(self.close, low), high)
        self.bars.append(Ticks(opened, high, low, close, effort))
        self.close = close
        return self

    def leg(self, to: int, bars: int, spread: int = 20, effort: int = 1_000) -> Drawing:
        """`bars` bars on a straight line to `to`. Effort varies a little, as everywhere."""
        begin = self.close
        for number in range(1, bars + 1):
            close = begin + (to - begin) * number // bars
            body_low, body_high = min(self.close, close), max(self.close, close)
            wick = max(0, spread - (body_high - body_low))
            varied = effort * (8, 10, 12, 10)[len(self.bars) % 4] // 10
            self.bar(body_low - wick // 2, body_high + (wick + 1) // 2, close, varied)
        return self

    def quiet(self, bars: int = 70) -> Drawing:
        """Nothing happens."""
        at = self.close
        for _ in range(bars // 2):
            self.leg(at + 5, 1).leg(at, 1)
        return self


def stopped() -> Drawing:
    """Phase A: a decline, the selling climax at 9690, the automatic rally to 9822, a secondary test."""
    drawing = Drawing().quiet().leg(9_760, 30)
    drawing.bar(9_690, 9_762, 9_725, 4_000)
    drawing.leg(9_812, 6).leg(9_728, 7)
    return drawing.bar(9_708, 9_726, 9_722, 600)


def caused() -> Drawing:
    """Phase B: two swings inside the range."""
    return stopped().leg(9_790, 7).leg(9_725, 7, effort=800).leg(9_785, 7, effort=900)


def accumulation_with_spring() -> Drawing:
    """Schematic 1, up to the spring at 9675 and its test."""
    drawing = caused().leg(9_705, 7, effort=800).bar(9_675, 9_706, 9_700, 900)
    return drawing.leg(9_730, 3).leg(9_710, 2, spread=12, effort=700).bar(9_702, 9_714, 9_711, 500)


def strength(drawing: Drawing) -> Drawing:
    """Phase D: the sign of strength, the back-up, and the move."""
    drawing.leg(9_800, 7).bar(9_798, 9_840, 9_836, 2_200).bar(9_834, 9_880, 9_874, 2_400)
    drawing.leg(9_845, 3, spread=14, effort=700).bar(9_834, 9_845, 9_843, 500)
    return drawing.leg(10_300, 40)


def accumulation_without_spring() -> Drawing:
    """Schematic 2: the last test holds higher, the rest is the same."""
    return strength(caused().leg(9_730, 7, effort=700))


def failed_spring() -> Drawing:
    """The spring recovers, and then its low does not hold."""
    return accumulation_with_spring().leg(9_660, 4)
