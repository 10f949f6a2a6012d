"""Market data as other programs post them: JSON in, columns of whole numbers out, without a float on the way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tmt.domain.instrument import Instrument
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import InputError
from tmt.market.batch import COLUMNS

ROWS_MAX: Final = 10_000
"""Rows in one request."""

AHEAD_NS_MAX: Final = NANOSECONDS_PER_SECOND
"""How far a row may be stamped ahead of this machine's clock: one that counts would leave all others behind it."""

AGE_NS_MAX: Final = 60 * NANOSECONDS_PER_SECOND
"""How old a row may be when it comes."""

_TOKEN: Final = re.compile(rb'"?([0-9]{1,19})(?:\.([0-9]{1,18}))?"?')
_SCIENTIFIC: Final = re.compile(rb"([0-9](?:\.[0-9]{1,18})?)[eE]([-+]?[0-9]{1,2})")
_NOTHING: Final = msgspec.Raw(b"0")
_QUANTA_MAX: Final = 2**53
_UNITS: Final = ((11, 1), (14, 10**3), (17, 10**6), (19, 10**9))
"""Up to how many digits a time since 1970 has, and how many of its units make a second: no two overlap before 5138."""


class PostedRow(msgspec.Struct, forbid_unknown_fields=True):
    """One quote, with the trade that came with it; numbers are JSON numbers or their text.

    Attributes:
        symbol: of an instrument that the desk trades.
        bid, ask: best prices in force.
        timestamp: ISO 8601 (without a zone: UTC), or seconds, milliseconds, microseconds or nanoseconds since 1970.
        price, volume: of a trade; 0 or left out: none.
    """

    symbol: str
    bid: msgspec.Raw
    ask: msgspec.Raw
    timestamp: msgspec.Raw
    price: msgspec.Raw = _NOTHING
    volume: msgspec.Raw = _NOTHING


_DECODER: Final = msgspec.json.Decoder(list[PostedRow] | PostedRow)


class Grid:
    """The grids of the desk's instruments, and their places in a batch."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._places = {
            each.symbol: (index, _Step(each.price_quantum), _Step(each.lot_size))
            for index, each in enumerate(instruments)
        }

    def rows(self, body: bytes, now_ns: int) -> NDArray[np.int64]:
        """The rows of a request's body, one or a list of them; a line for each of `COLUMNS`.

        Raises:
            InputError: when something in it cannot be used (TMT-E007); nothing of the body counts then.
        """
        try:
            found = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unusable("$", str(error)) from error
        rows = found if isinstance(found, list) else [found]
        if not 0 < len(rows) <= ROWS_MAX:
            raise _unusable("$", f"1 to {ROWS_MAX} rows may come at a time, {len(rows)} came")
        columns = np.empty((len(COLUMNS), len(rows)), dtype=np.int64)
        for number, row in enumerate(rows):
            try:
                columns[:, number] = self._row(row, now_ns)
            except ValueError as error:
                raise _unusable(f"$[{number}]", str(error)) from error
        return columns

    def _row(self, row: PostedRow, now_ns: int) -> tuple[int, ...]:
        place = self._places.get(row.symbol)
        if place is None:
            raise ValueError(f"the desk trades no {row.symbol[:40]!r}; it trades {', '.join(self._places)}")
        index, quantum, lot = place
        bid, ask = quantum.steps("bid", row.bid), quantum.steps("ask", row.ask)
        price = quantum.steps("price", row.price)
        if not 0 < bid <= ask:
            raise ValueError("bid must be above 0, and ask not below bid")
        time_ns = _time_ns(row.timestamp)
        if not now_ns - AGE_NS_MAX <= time_ns <= now_ns + AHEAD_NS_MAX:
            raise ValueError("timestamp must be the present, up to a minute ago: posted data are live")
        return time_ns, index, bid, ask, 0, 0, price, lot.whole_steps("volume", row.volume) if price else 0, 0


class _Step:
    """A grid in whole numbers: `units` x 10 ** -places."""

    __slots__ = ("places", "units")

    def __init__(self, step: Decimal) -> None:
        exponent = step.as_tuple().exponent
        assert isinstance(exponent, int)
        self.places = max(0, -exponent)
        self.units = int(step.scaleb(self.places))

    def steps(self, name: str, raw: msgspec.Raw) -> int:
        steps, rest = self._divided(name, raw)
        if rest:
            raise ValueError(f"{name} is off the instrument's grid")
        return steps

    def whole_steps(self, name: str, raw: msgspec.Raw) -> int:
        return self._divided(name, raw)[0]

    def _divided(self, name: str, raw: msgspec.Raw) -> tuple[int, bool]:
        whole, fraction = _digits(name, raw)
        digits = fraction[: self.places].ljust(self.places, b"0")
        steps, rest = divmod(int(whole + digits), self.units)
        if steps >= _QUANTA_MAX:
            raise ValueError(f"{name} is too large")
        return steps, bool(rest or fraction[self.places :].strip(b"0"))


def _digits(name: str, raw: msgspec.Raw) -> tuple[bytes, bytes]:
    token = _TOKEN.fullmatch(raw)
    if token is None:
        plain = _plain(name, raw)
        token = _TOKEN.fullmatch(plain)
        if token is None:
            raise _no_number(name)
    return token[1], token[2] or b""


def _plain(name: str, raw: msgspec.Raw) -> bytes:
    # What programs print for small numbers, such as 1e-05.
    if _SCIENTIFIC.fullmatch(raw) is None:
        raise _no_number(name)
    return f"{Decimal(bytes(raw).decode()):f}".encode()


def _no_number(name: str) -> ValueError:
    return ValueError(f"{name} is not a plain number of 0 or more")


def _time_ns(raw: msgspec.Raw) -> int:
    if bytes(raw)[:1] == b'"':
        return _iso_ns(msgspec.json.decode(raw, type=str))
    whole, fraction = _digits("timestamp", raw)
    billionths = int(whole + fraction[:9].ljust(9, b"0"))
    return billionths // next(parts for digits, parts in _UNITS if len(whole) <= digits)


def _iso_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("timestamp is neither ISO 8601 nor a number") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _unusable(where: str, what: str) -> InputError:
    return InputError("TMT-E007", f"market data cannot be used: {what}", where=where)
