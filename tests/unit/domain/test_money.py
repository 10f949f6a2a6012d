"""How exact numbers enter, what they may do, and that nothing inexact slips through."""

import decimal
import threading
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from tmt.domain.money import (
    Exact,
    checked,
    decode_hook,
    divide,
    exact,
    floor_to,
    fraction,
    is_multiple,
    not_negative,
    positive,
    round_half_even,
    round_up,
)


class Purse(msgspec.Struct, frozen=True):
    amount: Exact
    spare: Exact | None = None


REFUSED = (
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "inf",
    "1e5",
    "1E5",
    "1E+5",
    "1_000",
    "+1",
    " 1",
    "1 ",
    "1\n",
    "\t1",
    "",
    "-",
    "--1",
    ".5",
    "5.",
    "1.2.3",
    "1,5",
    "0x10",
    "١٢",
    "１２",  # noqa: RUF001
    "1\u00a0",
    "12345678901234567890",
    "0.1234567890123456789",
    "1000000000000000000.1",
    "1000000000000000001",
)


def decoded(text: str) -> Decimal:
    return msgspec.json.decode(msgspec.json.encode({"amount": text}), type=Purse, dec_hook=decode_hook).amount


@pytest.mark.parametrize("text", REFUSED)
def test_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal number|magnitude above"):
        exact(text)


@pytest.mark.parametrize("text", [text for text in REFUSED if text != "1E+5"])
def test_a_struct_refuses_what_exact_refuses(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(text)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "007",
        "-12.50",
        "0.000000000000000001",
        "1000000000000000000",
        "-1000000000000000000",
        "999999999999999999.999999999999999999",
    ],
)
def test_plain_decimals_are_taken_digit_for_digit(text: str) -> None:
    assert exact(text) == Decimal(text)
    assert exact(text).as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize(
    "value",
    [
        Decimal("0.0000001"),
        Decimal("0E-12"),
        Decimal("0.000000000000000001"),
        Decimal("1E+3"),
        Decimal("-1.25E-8"),
        divide(Decimal(0), Decimal(3)),
        round_up(Decimal("0.000000003"), 8),
    ],
)
def test_what_decimal_itself_writes_in_scientific_form_comes_back(value: Decimal) -> None:
    assert decoded(str(value)).as_tuple() == value.as_tuple()


@pytest.mark.parametrize("text", ["1E+19", "1E-19", "0E-19", "1E+99", "1e-7", "1E7", "10E+3", "1E+003", "1.5E-18"])
def test_scientific_form_beyond_the_bounds_or_of_another_hand_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(text)


@pytest.mark.parametrize("raw", [b'{"amount":1}', b'{"amount":1.5}', b'{"amount":true}', b'{"amount":null}', b"{}"])
def test_money_travels_as_text_only(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=Purse, dec_hook=decode_hook)


def test_an_optional_amount_may_be_absent_or_null_and_keeps_its_digits() -> None:
    raw = b'{"amount":"1.10","spare":null}'
    assert msgspec.json.decode(raw, type=Purse, dec_hook=decode_hook) == Purse(Decimal("1.10"))
    assert msgspec.json.encode(Purse(Decimal("1.10"), Decimal(2))) == b'{"amount":"1.10","spare":"2"}'


def test_the_hook_knows_no_other_type() -> None:
    with pytest.raises(NotImplementedError):
        decode_hook(complex, "1")


HALF, TENTH = 0.5, 0.1
INEXACT: dict[str, Callable[[], object]] = {
    "a quotient without end": lambda: Decimal(1) / Decimal(3),
    "a product of too many digits": lambda: Decimal("1." + "1" * 30) * Decimal("1." + "1" * 30),
    "a sum of too many digits": lambda: Decimal(10) ** 40 + Decimal("0." + "0" * 20 + "1"),
    "a float in a sum": lambda: Decimal(1) + Decimal(HALF),
    "a float in a comparison": lambda: Decimal(1) < 0.5,
    "a float made into a decimal": lambda: Decimal(TENTH),
    "an invalid operation": lambda: Decimal("Infinity") - Decimal("Infinity"),
    "nonsense made into a decimal": lambda: Decimal("twelve"),
    "a division by zero": lambda: Decimal(1) / Decimal(0),
    "an overflow": lambda: Decimal("9E+999999") * Decimal(10),
}


@pytest.mark.parametrize("name", INEXACT)
def test_inexact_or_invalid_arithmetic_raises_in_this_thread(name: str) -> None:
    with pytest.raises(decimal.DecimalException):
        INEXACT[name]()


@pytest.mark.parametrize("name", INEXACT)
def test_inexact_or_invalid_arithmetic_raises_in_a_new_thread(name: str) -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            INEXACT[name]()
        except decimal.DecimalException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(raised) == 1


def test_fifty_digits_are_exact() -> None:
    nines = Decimal("9" * 25)
    assert nines * nines == Decimal(99999999999999999999999980000000000000000000000001)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_what_is_not_finite_is_refused_by_name(value: Decimal) -> None:
    for check in (checked, positive, not_negative, fraction):
        with pytest.raises(ValueError, match="fee must be finite"):
            check("fee", value)


@pytest.mark.parametrize("value", [1, 1.0, "1", True, None])
def test_only_a_decimal_is_money(value: object) -> None:
    with pytest.raises(ValueError, match="fee must be a Decimal"):
        checked("fee", value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (checked, ("1000000000000000000", "-1000000000000000000"), ("1000000000000000000.000000001",)),
        (checked, ("0.000000000000000001",), ("0.0000000000000000001", "0E-19")),
        (positive, ("0.000000000000000001",), ("0", "-0", "-0.000000000000000001")),
        (not_negative, ("0", "-0", "1"), ("-0.000000000000000001",)),
        (fraction, ("0", "1", "1.000"), ("1.000000000000000001", "-0.000000000000000001")),
    ],
)
def test_bounds_hold_exactly(
    check: Callable[[str, Decimal], None], taken: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    for text in taken:
        check("amount", Decimal(text))
    for text in refused:
        with pytest.raises(ValueError, match="amount must"):
            check("amount", Decimal(text))


def test_rounding_is_named() -> None:
    assert round_half_even(Decimal("0.5"), 0) == 0
    assert round_half_even(Decimal("1.5"), 0) == 2
    assert round_half_even(Decimal("2.5"), 0) == 2
    assert round_up(Decimal("1.001"), 2) == Decimal("1.01")
    assert round_up(Decimal("-1.001"), 2) == Decimal("-1.01")
    assert round_up(Decimal("1.00"), 2) == 1
    assert divide(Decimal(2), Decimal(3), 4) == Decimal("0.6667")
    with pytest.raises(decimal.DivisionByZero):
        divide(Decimal(1), Decimal(0))


@pytest.mark.parametrize(
    ("value", "step", "floor"),
    [
        ("1.99", "0.5", "1.5"),
        ("2.0", "0.5", "2"),
        ("0.4999", "0.5", "0"),
        ("-1.99", "0.5", "-1.5"),
        ("1000", "1000", "1000"),
        ("999", "1000", "0"),
    ],
)
def test_flooring_goes_towards_zero_onto_the_grid(value: str, step: str, floor: str) -> None:
    assert floor_to(Decimal(value), Decimal(step)) == Decimal(floor)
    assert is_multiple(Decimal(floor), Decimal(step))
