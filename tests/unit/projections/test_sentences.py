"""Has every message a sentence of its own, and every number a plain form?"""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.projections.story import BAR_END_NS, OneSignal, make_denial
from tmt import messages as m
from tmt.projections.sentences import plain, sentence, utc

STORY = OneSignal()


@pytest.mark.parametrize("message", STORY.told, ids=lambda message: type(message).__name__)
def test_every_message_of_a_trade_has_a_sentence(message: m.Message) -> None:
    assert sentence(message) != type(message).__name__


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (STORY.signal, "EURUSD 5m spring_test buy at 1.1001 stop 1.0981 target 1.1061"),
        (STORY.released, "circuit_breaker passes alpha buy 1000 EURUSD"),
        (STORY.entry, "fills alpha buy 1000 EURUSD at 1.1001 (entry)"),
        (STORY.closed, "alpha EURUSD spring_test closed: -2.2 USD after fees (stop_loss)"),
        (make_denial("0.06", "0.05"), "compliance denies beta buy EURUSD: daily_loss 0.06 against 0.05 fraction"),
        (
            m.FeedStale.root("market", BAR_END_NS, instrument="EURUSD", last_ns=BAR_END_NS),
            "EURUSD feed is stale since 2023-11-14 22:15:00",
        ),
        (
            m.EntriesBarred.root("c", 0, account="alpha", instrument="EURUSD", rule="week", from_ns=BAR_END_NS),
            "alpha may have no entry rest in EURUSD: week from 2023-11-14 22:15:00 on",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_sentence_says_who_what_and_how_much(message: m.Message, words: str) -> None:
    assert sentence(message) == words


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9))
@example(Decimal("-0"))
@example(Decimal("0.000000"))
@example(Decimal(100))
@example(Decimal("1E+3"))
@example(Decimal("0.10"))
def test_a_plain_number_is_the_same_number_without_needless_digits(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert text == "0" or not (text.startswith("-0") and "." not in text)
    assert not ("." in text and text.endswith(("0", ".")))


def test_a_time_is_utc_to_the_second() -> None:
    assert utc(BAR_END_NS + 999_999_999) == "2023-11-14 22:15:00"
