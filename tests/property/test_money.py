"""Exact numbers, for all of them: text in is text out, and rounding stays within its step."""

import re
from decimal import Decimal

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.domain.money import Exact, decode_hook, divide, exact, floor_to, is_multiple, round_half_even, round_up

PLAIN = st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", fullmatch=True, alphabet=st.characters(codec="ascii"))
AMOUNTS = st.decimals(-(10**18), 10**18, places=9, allow_nan=False)
STEPS = st.sampled_from([Decimal(text) for text in ("0.00001", "0.01", "0.5", "1", "25", "1000")])


class Purse(msgspec.Struct, frozen=True):
    amount: Exact


@given(PLAIN)
@example("0")
@example("-0.0")
@example("0.0000001")
@example("0.000000000000000000")
@example("999999999999999999.999999999999999999")
def test_a_plain_number_survives_a_message_digit_for_digit(text: str) -> None:
    sent = Purse(exact(text))
    again = msgspec.json.decode(msgspec.json.encode(sent), type=Purse, dec_hook=decode_hook)
    assert again.amount.as_tuple() == Decimal(text).as_tuple()
    assert msgspec.json.encode(again) == msgspec.json.encode(sent)


@given(st.text(max_size=24))
@example("1e5")
@example("1_000")
@example("\u0661")
@example("1\n")
def test_any_text_is_either_plain_or_refused(text: str) -> None:
    plain = re.fullmatch(r"-?[0-9]{1,19}(\.[0-9]{1,18})?", text, re.ASCII) is not None and abs(Decimal(text)) <= 10**18
    try:
        value = exact(text)
    except ValueError:
        assert not plain
    else:
        assert plain
        assert value == Decimal(text)


@given(AMOUNTS, STEPS)
@example(Decimal("0.5"), Decimal("0.5"))
@example(Decimal("0.499999999"), Decimal("0.5"))
@example(Decimal("-0.5"), Decimal("0.5"))
def test_the_floor_is_on_the_grid_and_less_than_a_step_away(value: Decimal, step: Decimal) -> None:
    floor = floor_to(value, step)
    assert is_multiple(floor, step)
    assert abs(floor) <= abs(value) < abs(floor) + step


@given(AMOUNTS, st.integers(0, 8))
@example(Decimal("0.5"), 0)
@example(Decimal("-0.000000005"), 8)
def test_rounding_stays_within_its_last_digit(value: Decimal, places: int) -> None:
    step = Decimal(1).scaleb(-places)
    assert abs(round_half_even(value, places) - value) * 2 <= step
    assert Decimal(0) <= abs(round_up(value, places)) - abs(value) < step


@given(AMOUNTS, AMOUNTS.filter(lambda amount: abs(amount) >= 1))
@example(Decimal(1), Decimal(3))
@example(Decimal(0), Decimal(-3))
def test_a_quotient_times_the_divisor_is_the_dividend_within_rounding(value: Decimal, by: Decimal) -> None:
    assert abs(divide(value, by) * by - value) * 2 <= Decimal("0.000000000001") * abs(by)
