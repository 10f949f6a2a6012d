"""Posted JSON becomes whole numbers, digit for digit, or is refused with the row that is wrong."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmt.domain.instrument import Instrument
from tmt.engine.ingestion import AGE_NS_MAX, AHEAD_NS_MAX, ROWS_MAX, Grid
from tmt.errors import InputError
from tmt.sections import load_config

INSTRUMENTS: tuple[Instrument, ...] = load_config(None).sections["instruments"].instruments
NOW_NS = 1_795_313_707_468_410_700
ROW: dict[str, Any] = {"symbol": "EURUSD", "bid": 1.10001, "ask": "1.10003", "timestamp": NOW_NS}


def parse(body: Any) -> list[list[int]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [list(row) for row in zip(*Grid(INSTRUMENTS).rows(raw, NOW_NS).tolist(), strict=True)]


def test_a_quote_and_a_trade_become_a_row_each() -> None:
    traded = {**ROW, "symbol": "SPY", "bid": "500.1", "ask": 500.11, "price": 500.105, "volume": 12}
    assert parse([ROW, traded]) == [
        [NOW_NS, 0, 110_001, 110_003, 0, 0, 0, 0, 0],
        [NOW_NS, 1, 5_001_000, 5_001_100, 0, 0, 5_001_050, 12, 0],
    ]


def test_one_row_needs_no_list() -> None:
    assert parse(ROW) == parse([ROW])


def test_volume_counts_in_whole_lots_and_only_of_a_trade() -> None:
    assert parse({**ROW, "price": 1.10002, "volume": 2500})[0][7] == 2
    assert parse({**ROW, "volume": 2500})[0][7] == 0


@pytest.mark.parametrize(
    ("timestamp", "time_ns"),
    [
        (NOW_NS, NOW_NS),
        (NOW_NS // 1000, NOW_NS // 1000 * 1000),
        (NOW_NS // 10**6, NOW_NS // 10**6 * 10**6),
        (1795313707, 1_795_313_707_000_000_000),
        ("1795313707.468410700", NOW_NS),
        ("2026-11-22T02:15:07.468410", 1_795_313_707_468_410_000),
        ("2026-11-22T03:15:07.468410+01:00", 1_795_313_707_468_410_000),
        ("2026-11-22T02:15:07Z", 1_795_313_707_000_000_000),
    ],
)
def test_times_are_understood_in_every_usual_form(timestamp: Any, time_ns: int) -> None:
    if isinstance(timestamp, str) and timestamp[:4] == "1795":
        body = json.dumps(ROW).replace(str(NOW_NS), timestamp).encode()
        assert parse(body)[0][0] == time_ns
    else:
        assert parse({**ROW, "timestamp": timestamp})[0][0] == time_ns


@pytest.mark.parametrize("offset_ns", [-AGE_NS_MAX, AHEAD_NS_MAX])
def test_times_at_the_bounds_of_the_present_are_taken(offset_ns: int) -> None:
    assert parse({**ROW, "timestamp": NOW_NS + offset_ns})[0][0] == NOW_NS + offset_ns


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"symbol": "NOBODY"}, "the desk trades no 'NOBODY'"),
    ({"bid": 1.100011}, "bid is off the instrument's grid"),
    ({"bid": 1.10004}, "bid must be above 0, and ask not below bid"),
    ({"bid": 0}, "bid must be above 0"),
    ({"bid": -1}, "bid is not a plain number"),
    ({"bid": "NaN"}, "bid is not a plain number"),
    ({"bid": "1_0"}, "bid is not a plain number"),
    ({"bid": " 1"}, "bid is not a plain number"),
    ({"bid": "\uff11"}, "bid is not a plain number"),
    ({"bid": None}, "bid is not a plain number"),
    ({"bid": [1]}, "bid is not a plain number"),
    ({"bid": True}, "bid is not a plain number"),
    ({"ask": 10**18}, "ask is too large"),
    ({"price": 1.1000001}, "price is off the instrument's grid"),
    ({"timestamp": "yesterday"}, "timestamp is neither ISO 8601 nor a number"),
    ({"timestamp": NOW_NS + AHEAD_NS_MAX + 1}, "timestamp must be the present"),
    ({"timestamp": NOW_NS - AGE_NS_MAX - 1}, "timestamp must be the present"),
)


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_what_cannot_be_used_is_refused_with_its_row(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse([ROW, {**ROW, **change}])
    assert (caught.value.code, caught.value.where) == ("TMT-E007", "$[1]")
    assert said in caught.value.what


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"[" * 100_000,
        b'{"symbol": "\xff"}',
        json.dumps({**ROW, "more": 1}).encode(),
        json.dumps({key: value for key, value in ROW.items() if key != "ask"}).encode(),
        json.dumps([ROW] * (ROWS_MAX + 1)).encode(),
        json.dumps(ROW).replace("1.10001", "NaN").encode(),
        json.dumps(ROW).replace("1.10001", "1e999").encode(),
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse(body)
    assert caught.value.code == "TMT-E007"


@given(st.integers(1, 10**9), st.sampled_from(range(len(INSTRUMENTS))), st.booleans())
def test_every_price_on_the_grid_comes_out_as_it_went_in(quanta: int, index: int, as_text: bool) -> None:
    instrument = INSTRUMENTS[index]
    price = instrument.price_quantum * quanta
    token = f'"{price:f}"' if as_text else f"{price:f}"
    body = '{"symbol":"%s","bid":%s,"ask":%s,"timestamp":%d}' % (instrument.symbol, token, token, NOW_NS)  # noqa: UP031
    assert parse(body.encode())[0][1:4] == [index, quanta, quanta]


def test_small_numbers_may_be_written_as_programs_print_them() -> None:
    (row,) = parse({**ROW, "bid": 1e-05, "ask": 2e-05})
    assert row[2:4] == [1, 2]
    assert repr(1e-05) == "1e-05"
    assert INSTRUMENTS[0].price_quantum == Decimal("1e-5")
