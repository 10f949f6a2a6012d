"""A log says itself whether one process comes to the same."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.integration.simulated import hashes, make_desk, proposal, take
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.errors import ConfigError, InputError
from tmt.parity import Parity, parity_of
from tmt.ports.event_log import Entry
from tmt.sections import load_config

Change = Callable[[m.Message], m.Message | None]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    desk = make_desk(folder)
    desk.start()
    take(desk, 6)
    for key in ("a", "b", "c"):
        desk.command(proposal(desk, key))
        take(desk, 2)
    assert desk.runner.counts["OrderFilled"] >= 2
    desk.close()
    return folder


def parity(folder: Path) -> Parity:
    log = SqliteEventLog(folder / "events.sqlite", read_only=True)
    try:
        return parity_of(log, load_config(None))
    finally:
        log.close()


def rewritten(book: Path, folder: Path, change: Change) -> tuple[Path, list[m.Message]]:
    """A sound log, chain and all, that holds other messages; and what was left out or changed."""
    before, after = SqliteEventLog(book / "events.sqlite", read_only=True), SqliteEventLog(folder / "events.sqlite")
    changed = []
    for recorded in before.read():
        message = m.decode(recorded.body)
        other = change(message)
        if other != message:
            changed.append(message)
        if other is not None:
            entry = Entry(other.message_id, other.correlation_id, recorded.type, other.occurred_at_ns, m.encode(other))
            after.append([entry], recorded.recorded_at_ns)
    before.close()
    after.close()
    return folder, changed


def test_a_desk_in_one_process_comes_to_what_its_log_says(book: Path) -> None:
    desk = make_desk(book)
    desk.start()
    decision_hash, ledger_hash = (each.hex() for each in hashes(desk))
    desk.close()
    found = parity(book)
    assert found.holds
    assert found.sessions == 2
    assert (found.recorded.decision_hash, found.recorded.ledger_hash) == (decision_hash, ledger_hash)


def only_the_second(kind: type[m.Message], change: Change) -> Change:
    seen = 0

    def apply(message: m.Message) -> m.Message | None:
        nonlocal seen
        seen += isinstance(message, kind)
        return change(message) if isinstance(message, kind) and seen == 2 else message

    return apply


def larger(message: m.Message) -> m.Message:
    assert isinstance(message, m.OrderSized)
    order = msgspec.structs.replace(message.order, quantity=message.order.quantity + Decimal(1000))
    return msgspec.structs.replace(message, order=order)


def dearer(message: m.Message) -> m.Message:
    assert isinstance(message, m.OrderFilled)
    return msgspec.structs.replace(message, price=message.price + Decimal("0.00001"))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (m.OrderSized, larger),
        (m.OrderFilled, dearer),
        (m.OrderReleased, lambda _: None),
        (m.OrderFilled, lambda _: None),
    ],
)
def test_the_first_message_that_differs_is_shown_with_its_causes(
    book: Path, tmp_path: Path, kind: type[m.Message], change: Change
) -> None:
    folder, (changed,) = rewritten(book, tmp_path, only_the_second(kind, change))
    found = parity(folder)
    assert not found.holds
    assert found.divergence is not None
    assert found.divergence.gives.encode() == m.encode(changed)
    assert found.divergence.recorded.encode() != m.encode(changed)
    *_, last = found.divergence.causes
    assert len(found.divergence.causes) > 1
    assert last.split()[1] == changed.message_id


def test_another_configuration_than_the_logs_is_refused(book: Path) -> None:
    log = SqliteEventLog(book / "events.sqlite", read_only=True)
    with pytest.raises(ConfigError, match="configuration"):
        parity_of(log, load_config(None, overrides=("aria.risk_fraction=0.002",)))
    log.close()


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    SqliteEventLog(tmp_path / "events.sqlite").close()
    with pytest.raises(InputError, match="no session"):
        parity(tmp_path)


def test_a_log_that_ends_inside_its_last_step_is_equal_so_far(book: Path, tmp_path: Path) -> None:
    log = SqliteEventLog(book / "events.sqlite", read_only=True)
    released = [each.position for each in log.read(types=("OrderReleased",))][-1]
    log.close()
    left = 0

    def until_released(message: m.Message) -> m.Message | None:
        nonlocal left
        left += 1
        return message if left <= released else None

    folder, _ = rewritten(book, tmp_path, until_released)
    found = parity(folder)
    assert (found.holds, found.unfinished, found.divergence, found.events) == (True, True, None, released)
