"""The compiled scan: fold rows of market data into per-instrument state until one of them needs the desk's attention.

`scan` and `fold_row` are compiled from the plain functions `plain_scan` and `plain_fold_row`, which tests hold equal to
them; the oracle mode of the event-time loop uses the plain one, row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

(
    SEQUENCE,
    TIME_NS,
    BID,
    ASK,
    BID_SIZE,
    ASK_SIZE,
    OPEN,
    HIGH,
    LOW,
    CLOSE,
    VOLUME,
    TICKS,
    BAR_END_NS,
    LOW_BOUND,
    HIGH_BOUND,
    FROM_TRADES,
    STALE,
) = range(17)
"""Columns of the state: one row an instrument. Bar prices are in half quanta, so that a mid price is whole."""

FIELDS: Final = 17
UNBOUNDED_HIGH: Final = 2**62
UNBOUNDED_LOW: Final = -1

_COLUMN: Final = types.Array(types.int64, 1, "C", readonly=True)
_STATE: Final = types.Array(types.int64, 2, "C")


Column = NDArray[np.int64]
State = NDArray[np.int64]


def new_state(instruments: int) -> State:
    """State of `instruments` instruments that have seen no row and work no order."""
    state = np.zeros((instruments, FIELDS), dtype=np.int64)
    state[:, SEQUENCE] = -1
    state[:, LOW_BOUND] = UNBOUNDED_LOW
    state[:, HIGH_BOUND] = UNBOUNDED_HIGH
    return state


def plain_fold_row(
    row: int,
    time_ns: Column,
    instrument: Column,
    bid: Column,
    ask: Column,
    bid_size: Column,
    ask_size: Column,
    price: Column,
    size: Column,
    aggressor: Column,
    first_sequence: int,
    state: State,
) -> None:
    """Make row number `row` the newest of its instrument, and part of its open bar."""
    k = instrument[row]
    state[k, SEQUENCE] = first_sequence + row
    state[k, TIME_NS] = time_ns[row]
    state[k, BID] = bid[row]
    state[k, ASK] = ask[row]
    state[k, BID_SIZE] = bid_size[row]
    state[k, ASK_SIZE] = ask_size[row]
    value = bid[row] + ask[row]
    if state[k, FROM_TRADES] != 0:
        if price[row] == 0:
            return
        value = 2 * price[row]
    if state[k, TICKS] == 0:
        state[k, OPEN] = value
        state[k, HIGH] = value
        state[k, LOW] = value
    elif value > state[k, HIGH]:
        state[k, HIGH] = value
    elif value < state[k, LOW]:
        state[k, LOW] = value
    state[k, CLOSE] = value
    state[k, VOLUME] += size[row]
    state[k, TICKS] += 1


fold_row: Final[Callable[..., None]] = njit([types.void(types.int64, *[_COLUMN] * 9, types.int64, _STATE)], cache=True)(
    plain_fold_row
)


def plain_scan(
    start: int,
    stop: int,
    due_ns: int,
    time_ns: Column,
    instrument: Column,
    bid: Column,
    ask: Column,
    bid_size: Column,
    ask_size: Column,
    price: Column,
    size: Column,
    aggressor: Column,
    first_sequence: int,
    state: State,
) -> int:
    """Fold rows from `start` on; return the first that needs attention, or `stop`.

    A row needs attention when something is due at or before its time, when its instrument has no open bar or was
    stale, or when it touches the bounds outside which no working order can be concerned.
    """
    for row in range(start, stop):
        k = instrument[row]
        if time_ns[row] >= due_ns or time_ns[row] >= state[k, BAR_END_NS] or state[k, STALE] != 0:
            return row
        low = state[k, LOW_BOUND]
        high = state[k, HIGH_BOUND]
        if bid[row] <= low or ask[row] >= high:
            return row
        if price[row] != 0 and (price[row] <= low or price[row] >= high):
            return row
        fold_row(row, time_ns, instrument, bid, ask, bid_size, ask_size, price, size, aggressor, first_sequence, state)
    return stop


scan: Final[Callable[..., int]] = njit(
    [types.int64(*[types.int64] * 3, *[_COLUMN] * 9, types.int64, _STATE)], cache=True
)(plain_scan)
