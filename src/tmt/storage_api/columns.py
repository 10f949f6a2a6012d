"""Market data in exact columns: whole quanta and lots become prices and quantities."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tmt.domain.instrument import Instrument
from tmt.errors import InputError
from tmt.market.batch import MarketBatch
from tmt.ports.series import EXACT_TYPE, SCHEMAS

DIGITS_MAX: Final = 18
"""Digits of a quantum or a lot: with the 19 of a whole number they fit into 38."""

_PRICES: Final = ("bid", "ask", "price")


def market_tables(batch: MarketBatch, instruments: Mapping[str, Instrument]) -> dict[str, pa.Table]:
    """The rows of a batch as tables "quotes" and "trades" of `ports.series.SCHEMAS`, grouped by instrument.

    Raises:
        InputError: TMT-Q003 when an instrument is not known, or its quantum or lot has too many digits.
    """
    parts: dict[str, list[pa.Table]] = {"quotes": [], "trades": []}
    for index in np.unique(batch.instrument).tolist():
        symbol = batch.symbols[index]
        instrument = instruments.get(symbol)
        if instrument is None:
            raise InputError("TMT-Q003", f"market data of {symbol} came before the session that names it", where=symbol)
        mine = batch.instrument == index
        for name, chosen in (("quotes", mine & (batch.price == 0)), ("trades", mine & (batch.price != 0))):
            parts[name].append(_table(name, batch, np.flatnonzero(chosen), instrument))
    return {name: pa.concat_tables([SCHEMAS[name].empty_table(), *tables]) for name, tables in parts.items()}


def _table(name: str, batch: MarketBatch, rows: NDArray[np.intp], instrument: Instrument) -> pa.Table:
    columns = {
        "instrument": pa.array([instrument.symbol], pa.string()).take(pa.array(np.zeros(len(rows), np.int64))),
        "sequence": pa.array(batch.first_sequence + rows),
    }
    for column in SCHEMAS[name].names:
        if column not in columns:
            whole = pa.array(getattr(batch, column)[rows])
            columns[column] = whole if column in ("time_ns", "aggressor") else _exact(whole, column, instrument)
    return pa.table([columns[column] for column in SCHEMAS[name].names], SCHEMAS[name])


def _exact(whole: pa.Array, column: str, instrument: Instrument) -> pa.Array:
    step = instrument.price_quantum if column in _PRICES else instrument.lot_size
    plain = Decimal(f"{step.normalize():f}")
    _, digits, exponent = plain.as_tuple()
    if len(digits) > DIGITS_MAX or not isinstance(exponent, int):
        raise InputError("TMT-Q003", f"{step} has more than {DIGITS_MAX} digits", where=instrument.symbol)
    typed = pa.scalar(plain, pa.decimal128(max(len(digits), -exponent), -exponent))
    return pc.multiply(pc.cast(whole, pa.decimal128(19, 0)), typed).cast(EXACT_TYPE)
