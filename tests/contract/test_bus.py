"""What every bus promises: each message to all of its handlers, depth first, and never without end."""

from collections.abc import Callable, Iterable

import pytest

from tests.unit.core.samples import START_NS
from tmt import messages as m
from tmt.adapters.bus.in_process import InProcessBus
from tmt.domain.stop import StopLevel
from tmt.errors import BusUnavailable
from tmt.ports.bus import Bus, Handler

BUSES: dict[str, Callable[[int], Bus]] = {"in_process": InProcessBus}


@pytest.fixture(params=BUSES)
def make_bus(request: pytest.FixtureRequest) -> Callable[[int], Bus]:
    return BUSES[request.param]


def tick(*key: str) -> m.TimeAdvanced:
    return m.TimeAdvanced.root("clock", START_NS, *key)


def news(cause: m.Message, name: str) -> m.StopTrading:
    return m.StopTrading.caused_by(cause, "test", name, person="ann", reason=name, role="risk", level=StopLevel.CANCEL)


def name_of(message: m.Message) -> str:
    return message.reason if isinstance(message, m.StopTrading) else "tick"


def listener(name: str, heard: list[str]) -> Handler:
    def hear(message: m.Message) -> Iterable[m.Message]:
        heard.append(f"{name} {name_of(message)}")
        return ()

    return hear


def test_a_message_reaches_every_handler_of_its_type_in_the_order_subscribed(make_bus: Callable[[int], Bus]) -> None:
    bus, heard = make_bus(100), list[str]()

    bus.subscribe([m.TimeAdvanced, m.StopTrading], listener("first", heard))
    bus.subscribe([m.ResumeTrading], listener("never", heard))
    bus.subscribe([m.TimeAdvanced], listener("second", heard))
    bus.publish(tick())
    bus.publish(news(tick(), "stop"))
    assert heard == ["first tick", "second tick", "first stop"]


def test_what_nobody_asked_for_is_taken_and_changes_nothing(make_bus: Callable[[int], Bus]) -> None:
    make_bus(1).publish(tick())


def test_a_message_reaches_all_its_handlers_before_what_follows_from_it(make_bus: Callable[[int], Bus]) -> None:
    bus, heard = make_bus(100), list[str]()

    def first(message: m.Message) -> list[m.Message]:
        heard.append(f"first {name_of(message)}")
        return [news(message, "a")] if name_of(message) == "tick" else []

    bus.subscribe([m.TimeAdvanced, m.StopTrading], first)
    bus.subscribe([m.TimeAdvanced, m.StopTrading], listener("second", heard))
    bus.publish(tick())
    assert heard == ["first tick", "second tick", "first a", "second a"]


def test_all_that_follows_from_the_first_answer_comes_before_the_second(make_bus: Callable[[int], Bus]) -> None:
    bus, heard = make_bus(100), list[str]()
    tree = {"tick": ["a", "b"], "a": ["a1", "a2"], "a1": ["a1x"], "b": ["b1"]}

    def grow(message: m.Message) -> list[m.Message]:
        heard.append(name_of(message))
        return [news(message, name) for name in tree.get(name_of(message), [])]

    bus.subscribe([m.TimeAdvanced, m.StopTrading], grow)
    bus.subscribe([m.TimeAdvanced], lambda message: [news(message, "c")])
    bus.publish(tick())
    assert heard == ["tick", "a", "a1", "a1x", "a2", "b", "b1", "c"]


@pytest.mark.parametrize("answers", [1, 8, 9, 10])
def test_a_cascade_may_be_as_long_as_the_bound_and_no_longer(make_bus: Callable[[int], Bus], answers: int) -> None:
    bus, heard = make_bus(10), list[m.Message]()

    def count_down(message: m.Message) -> list[m.Message]:
        heard.append(message)
        return [news(message, str(len(heard)))] if len(heard) <= answers else []

    bus.subscribe([m.TimeAdvanced, m.StopTrading], count_down)
    if answers < 10:
        bus.publish(tick())
        assert len(heard) == answers + 1
    else:
        with pytest.raises(BusUnavailable) as caught:
            bus.publish(tick())
        assert caught.value.code == "TMT-B001"
        assert len(heard) == 10


def test_the_bound_is_of_one_cascade_not_of_the_bus(make_bus: Callable[[int], Bus]) -> None:
    bus, heard = make_bus(1), list[str]()
    bus.subscribe([m.TimeAdvanced], listener("only", heard))
    for number in range(5):
        bus.publish(tick(str(number)))
    assert len(heard) == 5


def test_what_a_handler_raises_reaches_the_publisher_and_the_bus_stays_usable(make_bus: Callable[[int], Bus]) -> None:
    bus, heard = make_bus(100), list[str]()

    def fail(message: m.Message) -> list[m.Message]:
        if name_of(message) == "bad":
            raise ZeroDivisionError
        heard.append(name_of(message))
        return [news(message, "bad"), news(message, "left")] if name_of(message) == "tick" else []

    bus.subscribe([m.TimeAdvanced, m.StopTrading], fail)
    with pytest.raises(ZeroDivisionError):
        bus.publish(tick())
    bus.publish(news(tick(), "good"))
    assert heard == ["tick", "good"]
