"""What the gate remembers: returns by instrument, and each account's newest entries."""

from __future__ import annotations

import msgspec

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.copying import Entry
from tmt.agents.anti_correlation.returns import ReturnSeries, advance
from tmt.market.bar import Bar
from tmt.messages import BarClosed, Message, OrderReleased


class AntiCorrelationState(msgspec.Struct, frozen=True, kw_only=True):
    """Moved by messages alone.

    Attributes:
        series: returns by instrument.
        end_ns: newest end of a bar of the configured timeframe.
        ends_unpublished: ends of bars since correlations were last published.
        entries: newest released entries by account, oldest first.
        copying: pairs "account/account" of which copy-trading was said and has not ended.
    """

    series: dict[str, ReturnSeries] = {}
    end_ns: int = 0
    ends_unpublished: int = 0
    entries: dict[str, tuple[Entry, ...]] = {}
    copying: tuple[str, ...] = ()


def begins_anew(state: AntiCorrelationState, bar: Bar, config: AntiCorrelationConfig) -> bool:
    """Whether `bar` is the first of a later end: every bar of the ends before it is in the state."""
    return bar.timeframe == config.timeframe and bar.end_ns > state.end_ns


def evolve(state: AntiCorrelationState, message: Message, config: AntiCorrelationConfig) -> AntiCorrelationState:
    """Follow closed bars of the configured timeframe and released entries; any other message changes nothing."""
    match message:
        case BarClosed(bar=bar) if bar.timeframe == config.timeframe:
            series = advance(state.series.get(bar.instrument), bar, config.window_bars)
            return msgspec.structs.replace(
                state,
                series={**state.series, bar.instrument: series},
                end_ns=max(state.end_ns, bar.end_ns),
                ends_unpublished=state.ends_unpublished + begins_anew(state, bar, config),
            )
        case OrderReleased(order=order) if not order.reduce_only and not order.parent_id:
            known = state.entries.get(order.account, ())
            newest = (*known, Entry.released(message))[-config.copy_entries_max :]
            return msgspec.structs.replace(state, entries={**state.entries, order.account: newest})
        case _:
            return state
