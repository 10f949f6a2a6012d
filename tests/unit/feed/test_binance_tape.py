"""The tape and the event list: quotes, trades, missing ids, clocks, disconnects."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.feed.given import BTCUSDT, FEEDS, column, feeds, quality, rows_of
from tmt.adapters.feed.opening import open_replay
from tmt.errors import InputError
from tmt.ports.feed import Feed

START_NS = 1723161254000000000


def quote(update_id: int, bid: str, ask: str, symbol: str = "BTCUSDT") -> dict[str, Any]:
    data = {"u": update_id, "s": symbol, "b": bid, "B": "3.78826000", "a": ask, "A": "0.5"}
    return {"stream": f"{symbol.lower()}@bookTicker", "data": data}


def trade(trade_id: int, price: str, *, buyer_is_maker: bool = False) -> dict[str, Any]:
    trade_ms = START_NS // 10**6 + 1255
    data = {"e": "trade", "s": "BTCUSDT", "t": trade_id, "p": price, "q": "0.02", "T": trade_ms, "m": buyer_is_maker}
    return {"stream": "btcusdt@trade", "data": data}


DEPTH = {"stream": "btcusdt@depth@100ms", "data": {"e": "depthUpdate", "s": "BTCUSDT", "b": [], "a": []}}


def tape(folder: Path, *messages: dict[str, Any] | str) -> Path:
    path = folder / "tape.gz"
    texts = [
        message if isinstance(message, str) else json.dumps(message, separators=(",", ":")) for message in messages
    ]
    lines = [f"{START_NS + index * 10**6} {text}" for index, text in enumerate(texts)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def replay(*paths: Path) -> Feed:
    return open_replay(paths, BTCUSDT, FEEDS)


def test_trades_meet_the_quote_in_force_and_the_taker_is_told_from_the_maker(tmp_path: Path) -> None:
    messages = (
        DEPTH,
        quote(1, "61837.63", "61837.64"),
        trade(7, "61837.63", buyer_is_maker=True),
        trade(8, "61837.64"),
    )
    feed = replay(tape(tmp_path, *messages))
    assert [row[1:] for row in rows_of(feed)] == [
        (START_NS + 1_000_000, 0, 6183763, 6183764, 378826, 50000, 0, 0, 0),
        (START_NS + 2_000_000, 0, 6183763, 6183764, 378826, 50000, 6183763, 2000, -1),
        (START_NS + 3_000_000, 0, 6183763, 6183764, 378826, 50000, 6183764, 2000, 1),
    ]
    assert quality(feed).depth_messages == 1


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 4, 8192])
def test_the_quote_in_force_does_not_depend_on_batches(tmp_path: Path, batch_rows: int) -> None:
    messages = (trade(6, "75.00"), trade(7, "77.00"), quote(1, "78.00", "79.00"), trade(8, "79.00"), trade(9, "78.00"))
    feed = open_replay([tape(tmp_path, *messages)], BTCUSDT, FEEDS, batch_rows)
    assert column(feed, "bid") == [7499, 7699, 7800, 7800, 7800]
    assert column(feed, "ask") == [7501, 7701, 7900, 7900, 7900]


def test_missing_trade_ids_are_counted_and_repeated_ones_dropped(tmp_path: Path) -> None:
    trades = (trade(7, "71"), trade(8, "72"), trade(8, "72"), trade(11, "73"), trade(10, "74"))
    feed = replay(tape(tmp_path, quote(1, "71", "72"), *trades))
    assert column(feed, "price") == [0, 7100, 7200, 7300]
    assert (quality(feed).trade_ids_missing, quality(feed).duplicates) == (2, 2)


def test_a_quote_older_than_the_last_is_dropped_and_counted(tmp_path: Path) -> None:
    feed = replay(tape(tmp_path, quote(5, "71", "72"), quote(4, "78", "79"), quote(6, "73", "74")))
    assert column(feed, "bid") == [7100, 7300]
    assert quality(feed).out_of_order == 1


def test_the_skew_of_the_exchanges_clock_is_noted(tmp_path: Path) -> None:
    feed = replay(tape(tmp_path, trade(1, "5")))
    rows_of(feed)
    assert "1255 ms ahead of" in feed.quality.notes[0]


def test_other_symbols_are_passed_over_and_counted(tmp_path: Path) -> None:
    feed = replay(tape(tmp_path, quote(5, "1", "2"), quote(9, "8", "9", symbol="ETHUSDT")))
    assert column(feed, "bid") == [100]
    assert quality(feed).other_instruments == 1


def test_a_tape_of_another_symbol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        replay(tape(tmp_path, quote(9, "8", "9", symbol="ETHUSDT")))
    assert caught.value.code == "TMT-D006"
    assert "ETHUSDT" in caught.value.what


@pytest.mark.parametrize("bad", ['{"stream":"btcusdt@trade","data":{"s":"BTCUSDT"}}', '{"stream":', "nonsense"])
def test_a_line_that_is_no_message_is_refused_by_number_or_dropped_and_counted(tmp_path: Path, bad: str) -> None:
    path = tape(tmp_path, quote(5, "71", "72"), bad, quote(6, "73", "74"))
    with pytest.raises(InputError) as caught:
        rows_of(replay(path))
    assert caught.value.code == "TMT-D008"
    assert caught.value.where == f"{path}:2:1"
    feed = open_replay([path], BTCUSDT, feeds(malformed="drop"))
    assert len(rows_of(feed)) == 2
    assert quality(feed).malformed == 1


def test_a_price_that_is_no_number_is_refused_at_its_line(tmp_path: Path) -> None:
    path = tape(tmp_path, DEPTH, quote(5, "1", "2"), quote(6, "NaN", "2"))
    with pytest.raises(InputError) as caught:
        rows_of(replay(path))
    assert caught.value.where.startswith(f"{path}:3:")


def event(instrument: int, trade_id: int, price: float, side: str = "Buy") -> dict[str, Any]:
    body = {"id": str(trade_id), "price": price, "amount": 6e-05, "side": side}
    received = f"2024-12-20T19:05:18.{trade_id:09}Z"
    event = {"time_exchange": received, "time_received": received, "exchange": "x", "instrument": instrument}
    return {"Item": {"Ok": event | {"kind": {"Trade": body}}}}


def events(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "events.json"
    path.write_text(json.dumps(list(entries), indent=2))
    return path


def test_an_event_list_gives_trades_and_counts_disconnects_and_others(tmp_path: Path) -> None:
    entries = (event(0, 1, 96962.51), {"Reconnecting": "x"}, event(2, 2, 190.85), event(0, 5, 96962.5, "Sell"))
    feed = replay(events(tmp_path, *entries))
    second = 1734721518 * 10**9
    assert [row[1:] for row in rows_of(feed)] == [
        (second + 1, 0, 9696250, 9696252, 0, 0, 9696251, 6, 1),
        (second + 5, 0, 9696249, 9696251, 0, 0, 9696250, 6, -1),
    ]
    found = quality(feed)
    assert (found.disconnects, found.other_instruments, found.trade_ids_missing) == (1, 1, 3)


def test_an_event_list_without_the_instrument_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        replay(events(tmp_path, event(2, 2, 190.85)))
    assert caught.value.code == "TMT-D006"
    assert "SOLUSDT" in caught.value.what


def test_a_list_that_is_not_of_events_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('[{"Item": {"Ok": 5}}]')
    with pytest.raises(InputError) as caught:
        replay(path)
    assert caught.value.code == "TMT-D008"
