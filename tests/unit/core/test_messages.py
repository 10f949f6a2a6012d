"""Every message comes back from the log as it went in, and nothing that is no message gets through."""

import json
from typing import Any

import msgspec
import pytest

from tests.unit.core.samples import START_NS, make_batch, sample
from tmt import messages as m
from tmt.errors import CorruptMessage
from tmt.market.batch import COLUMNS

KINDS = {kind.__name__: kind for kind in m.ALL}


def changed(kind: type[m.Message], **changes: Any) -> bytes:
    fields = {**json.loads(m.encode(sample(kind))), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def refused(raw: bytes) -> str:
    with pytest.raises(CorruptMessage) as caught:
        m.decode(raw)
    assert caught.value.code == "TMT-M001"
    return caught.value.what


@pytest.mark.parametrize("name", KINDS)
def test_a_message_comes_back_byte_for_byte(name: str) -> None:
    sent = sample(KINDS[name])
    back = m.decode(m.encode(sent))
    assert type(back) is type(sent)
    assert back == sent
    assert m.encode(back) == m.encode(sent)


def test_every_message_type_of_the_module_is_in_the_list_once() -> None:
    concrete = {kind for kind in vars(m).values() if isinstance(kind, type) and issubclass(kind, m.Message)}
    shared = {m.Message, m.GateApproval, m.BreakerTransition, m.VenueEvent}
    assert concrete - shared == {*m.ALL}
    assert len(m.ALL) == len({kind.__name__ for kind in m.ALL})
    assert set(m.ALL) >= m.DECISIONS


def test_market_data_come_back_row_for_row() -> None:
    back = m.decode(m.encode(m.MarketDataReceived.of("replay", make_batch())))
    assert isinstance(back, m.MarketDataReceived)
    assert back.batch.symbols == ("EURUSD",)
    assert back.batch.first_sequence == 7
    for name, _ in COLUMNS:
        assert getattr(back.batch, name).tolist() == [5, 6, 6]
    assert back.occurred_at_ns == 5


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("version", [0, 1, 3, -1, "2", 2.5, True, None])
def test_another_version_is_refused(name: str, version: object) -> None:
    refused(changed(KINDS[name], version=version))


@pytest.mark.parametrize("name", KINDS)
def test_an_unknown_field_is_tolerated(name: str) -> None:
    assert m.decode(changed(KINDS[name], weather="fair", nested={"a": [1]})) == sample(KINDS[name])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("tag", [..., "Message", "GateApproval", "", "orderfilled", 1, None])
def test_a_missing_or_unknown_type_is_refused(name: str, tag: object) -> None:
    refused(changed(KINDS[name], type=tag))


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_required_field_is_refused(name: str) -> None:
    for field in msgspec.structs.fields(KINDS[name]):
        if field.required:
            refused(changed(KINDS[name], **{field.encode_name: ...}))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e5", "1_000", "+1", " 1", "\u0661", 1, 1.5, None, "0", "-1"])
def test_a_fill_of_an_impossible_quantity_is_refused(amount: object) -> None:
    refused(changed(m.OrderFilled, quantity=amount))


@pytest.mark.parametrize("amount", ["NaN", "1E+400", "1e5", "1_000", 1, 1.5, None])
@pytest.mark.parametrize("field", ["realised", "fees", "risk_amount"])
def test_money_without_a_check_of_its_own_is_still_exact(field: str, amount: object) -> None:
    refused(changed(m.PositionClosed, **{field: amount}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"1",
        b'"OrderFilled"',
        b"{",
        b"{}",
        b'{"type":"TimeAdvanced"}',
        b"\xff\xfe",
        b'{"type":"\xff"}',
        m.encode(sample(m.TimeAdvanced)).replace(b'"clock"', b'"\xc3\x28"').replace(b'"test"', b'"\xc3\x28"'),
        m.encode(sample(m.TimeAdvanced))[:-1],
        m.encode(sample(m.TimeAdvanced)) + b"x",
        m.encode(sample(m.TimeAdvanced)) * 2,
        b"\xef\xbb\xbf" + m.encode(sample(m.TimeAdvanced)),
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    refused(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    refused(opening * 100_000)
    refused(m.encode(sample(m.TimeAdvanced))[:-1] + b',"nested":' + opening * 100_000)


def test_a_session_with_an_impossible_zone_is_refused() -> None:
    fields = json.loads(m.encode(sample(m.SessionStarted)))
    for zone in ("Mars/Olympus", "America", "../etc/passwd", ""):
        fields["instruments"][0]["session"]["time_zone"] = zone
        refused(json.dumps(fields).encode())


def test_the_same_cause_gives_the_same_id_and_another_key_another() -> None:
    cause = m.TimeAdvanced.root("clock", START_NS, "1")
    first = m.FeedRecovered.caused_by(cause, "market", "a", instrument="EURUSD")
    assert first == m.FeedRecovered.caused_by(cause, "market", "a", instrument="EURUSD")
    others = (
        m.FeedRecovered.caused_by(cause, "market", "b", instrument="EURUSD"),
        m.FeedRecovered.caused_by(cause, "market", instrument="EURUSD"),
        m.FeedStale.caused_by(cause, "market", "a", instrument="EURUSD", last_ns=1),
        m.FeedRecovered.caused_by(first, "market", "a", instrument="EURUSD"),
    )
    assert len({first.message_id, *(other.message_id for other in others)}) == 5


def test_a_message_carries_its_cause_and_its_root() -> None:
    root = m.TimeAdvanced.root("clock", START_NS, "1")
    child = m.FeedStale.caused_by(root, "market", instrument="EURUSD", last_ns=1)
    grandchild = m.FeedRecovered.caused_by(child, "market", occurred_at_ns=START_NS + 1, instrument="EURUSD")
    assert (root.causation_id, root.correlation_id) == ("", root.message_id)
    assert (child.causation_id, child.correlation_id, child.occurred_at_ns) == (
        root.message_id,
        root.message_id,
        START_NS,
    )
    assert (grandchild.causation_id, grandchild.correlation_id) == (child.message_id, root.message_id)
    assert grandchild.occurred_at_ns == START_NS + 1


@pytest.mark.parametrize(
    ("side", "stop", "target"),
    [
        ("buy", "1.1", "1.2"),
        ("buy", "1.0", "1.1"),
        ("buy", "1.2", "1.0"),
        ("sell", "1.0", "1.2"),
        ("sell", "1.1", "1.0"),
        ("sell", "1.2", "1.1"),
    ],
)
def test_a_signal_whose_stop_or_target_is_on_the_wrong_side_is_refused(side: str, stop: str, target: str) -> None:
    what = refused(changed(m.SignalRaised, side=side, entry_price="1.1", stop_price=stop, target_price=target))
    assert "cannot stop at" in what
