"""The same desk over the bus: same input, same decisions, same money."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.several import OTHERS, engine, hosted, settings
from tests.integration.simulated import hashes, make_desk, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.stop import StopLevel

pytestmark = pytest.mark.server


def trade(desk: Desk) -> None:
    take(desk, 60)
    for key, quantity in (("a", 2000), ("b", 1000), ("c", 10**9)):
        desk.command(proposal(desk, key, quantity=Decimal(quantity)))
        take(desk, 5)
    desk.command(
        m.StopTrading.root(
            "person", desk.runner.timeline.now_ns, "x", person="ann", reason="t", role="risk", level=StopLevel.FLATTEN
        )
    )
    take(desk, 20)


def test_over_the_bus_in_one_process_the_same_input_gives_the_same_hashes(
    tmp_path: Path, pg_dsn: str, kafka_bootstrap: str, kafka_prefix: str
) -> None:
    alone = make_desk(tmp_path / "alone")
    alone.start()
    trade(alone)
    expected = hashes(alone)
    counts = alone.runner.counts
    alone.close()
    assert counts["OrderFilled"] >= 3

    loaded = settings(tmp_path, pg_dsn, kafka_bootstrap, kafka_prefix)
    with hosted(loaded) as service, engine(loaded) as desk:
        trade(desk)
        assert hashes(desk) == expected
        assert desk.runner.counts == counts
        assert service.answered > 100
        assert service.dead_letters == 0


def test_each_agent_apart_from_the_others_gives_the_same_hashes(
    tmp_path: Path, pg_dsn: str, kafka_bootstrap: str, kafka_prefix: str
) -> None:
    alone = make_desk(tmp_path / "alone")
    alone.start()
    drive(alone)
    expected = hashes(alone)
    alone.close()
    loaded = settings(tmp_path, pg_dsn, kafka_bootstrap, kafka_prefix)
    with ExitStack() as stack:
        services = [stack.enter_context(hosted(loaded, (name,))) for name in OTHERS]
        with engine(loaded) as desk:
            drive(desk)
            assert hashes(desk) == expected
        assert sum(service.answered > 0 for service in services) >= 6


def drive(desk: Desk) -> None:
    take(desk, 6)
    for key in ("a", "b"):
        desk.command(proposal(desk, key))
        take(desk, 2)
    assert desk.runner.counts["OrderFilled"] >= 1
