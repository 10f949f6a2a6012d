"""Who answers: members of a consumer group that find their way back, whatever the broker takes them for."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tmt.adapters.bus.kafka.client import Membership, ensure_topics
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.topics import ORDERS

pytestmark = pytest.mark.server

SECONDS_MAX = 60.0


@pytest.fixture
def config(kafka_bootstrap: str, kafka_prefix: str) -> BusConfig:
    made = BusConfig(
        bootstrap=kafka_bootstrap,
        prefix=kafka_prefix.rstrip("."),
        replication=1,
        resend_milliseconds=250,
        patience_seconds=60,
        urgent_patience_milliseconds=50,
        lag_seconds_max=30,
    )
    ensure_topics(made)
    return made


def poll_until(true: Callable[[], bool], *members: Membership) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, [member.owned for member in members]
        for member in members:
            member.poll()


def test_a_member_that_was_shut_out_for_its_double_is_back_once_the_double_is_gone(config: BusConfig) -> None:
    with closing(Membership(config, "aria", "0", [ORDERS])) as member:
        poll_until(lambda: len(member.owned) == ORDERS.partitions, member)
        with closing(Membership(config, "aria", "0", [ORDERS])) as double:
            poll_until(lambda: not member.owned, member, double)
        poll_until(lambda: len(member.owned) == ORDERS.partitions, member)


def test_two_members_share_the_partitions_and_one_takes_over_what_the_other_leaves(config: BusConfig) -> None:
    with closing(Membership(config, "aria", "0", [ORDERS])) as stays:
        poll_until(lambda: len(stays.owned) == ORDERS.partitions, stays)
        with closing(Membership(config, "aria", "1", [ORDERS])) as leaves:
            poll_until(lambda: bool(leaves.owned), stays, leaves)
            poll_until(lambda: len(stays.owned) + len(leaves.owned) == ORDERS.partitions, stays, leaves)
            assert not stays.owned & leaves.owned
        poll_until(lambda: len(stays.owned) == ORDERS.partitions, stays)
