"""Whole quanta and lots become prices and quantities without losing a digit."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.core.samples import BTCUSD, EURUSD, INDEX, make_instrument
from tmt.domain.instrument import Instrument
from tmt.errors import InputError
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.ports.series import SCHEMAS
from tmt.storage_api.columns import market_tables

FINEST = make_instrument("WEI", "ETH", "USD", "0.000000000000000001", "0.000000000000000001")
COARSEST = make_instrument("YARD", "", "USD", "1000", "1000000")
INSTRUMENTS = {each.symbol: each for each in (EURUSD, BTCUSD, INDEX, FINEST, COARSEST)}
SYMBOLS = tuple(INSTRUMENTS)
WHOLE = st.integers(0, 10**13)


def batch_of(rows: list[tuple[int, ...]]) -> MarketBatch:
    columns = np.array(rows, dtype=np.int64).reshape(-1, len(COLUMNS)).T
    named = {name: column for (name, _), column in zip(COLUMNS, columns, strict=True)}
    return MarketBatch(symbols=SYMBOLS, first_sequence=100, **named)


def one_at_a_time(batch: MarketBatch) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {"quotes": [], "trades": []}
    for row in range(len(batch)):
        instrument: Instrument = INSTRUMENTS[SYMBOLS[int(batch.instrument[row])]]
        values = {name: int(getattr(batch, name)[row]) for name, _ in COLUMNS}
        exact: dict[str, Any] = {
            "instrument": instrument.symbol,
            "sequence": 100 + row,
            "time_ns": values["time_ns"],
            "aggressor": values["aggressor"],
            **{name: instrument.price_of(values[name]) for name in ("bid", "ask", "price")},
            **{name: instrument.quantity_of(values[name]) for name in ("bid_size", "ask_size", "size")},
        }
        name = "trades" if values["price"] else "quotes"
        tables[name].append({column: exact[column] for column in SCHEMAS[name].names})
    return tables


ROWS = st.lists(
    st.tuples(st.integers(1, 2**62), st.integers(0, 4), WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, st.integers(-1, 1)),
    max_size=30,
)


@given(rows=ROWS)
@example(rows=[])
@example(rows=[(2**63 - 1, 4, 10**13, 10**13, 10**12, 0, 0, 0, 0)])
@example(rows=[(1, 3, 1, 2, 3, 4, 0, 0, 0), (1, 3, 1, 2, 3, 4, 1, 1, -1), (2, 0, 1, 1, 1, 1, 1, 0, 1)])
def test_columns_hold_what_one_row_at_a_time_gives(rows: list[tuple[int, ...]]) -> None:
    batch = batch_of(rows)
    tables = market_tables(batch, INSTRUMENTS)
    for name, expected in one_at_a_time(batch).items():
        assert tables[name].schema == SCHEMAS[name]
        assert sorted(tables[name].to_pylist(), key=lambda row: row["sequence"]) == expected


def test_market_data_of_an_instrument_that_nobody_named_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        market_tables(batch_of([(1, 0, 1, 1, 1, 1, 0, 0, 0)]), {"BTCUSD": BTCUSD})
    assert (caught.value.code, caught.value.where) == ("TMT-Q003", "EURUSD")


@pytest.mark.parametrize("quantum", ["1.000000000000000001", "1000000000.0000000001"])
def test_a_quantum_of_too_many_digits_is_refused_and_never_rounded(quantum: str) -> None:
    odd = make_instrument("EURUSD", "EUR", "USD", quantum)
    with pytest.raises(InputError) as caught:
        market_tables(batch_of([(1, 0, 1, 1, 1, 1, 0, 0, 0)]), {"EURUSD": odd})
    assert caught.value.code == "TMT-Q003"
    assert Decimal(quantum) == odd.price_quantum
