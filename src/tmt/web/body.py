"""Bodies of requests: JSON read once, strictly, and without a float."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import msgspec
from litestar import Request

from tmt.domain.money import Exact, checked, decode_hook
from tmt.web.problem import FieldProblem, Refused

NUMBER_TEXT: Final = r"^-?[0-9]{1,19}(\.[0-9]{1,18})?(?!\n)$"

_LITERAL: Final = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_INTEGER_DIGITS_MAX: Final = 20
_PATH: Final = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<where>[^`]*)`)?$", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\u(0000|[dD][89a-fA-F])")

_CHARSETS: Final = ("", "charset=utf-8", 'charset="utf-8"')

T = TypeVar("T")


class _NumberType(type):
    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is Decimal


if TYPE_CHECKING:
    Number = Decimal
else:

    class Number(metaclass=_NumberType):
        """Annotation of a request's exact number: the text that `exact` accepts, or a JSON number, digit for digit."""


class ExactRequest(Request[Any, Any, Any]):
    """A request whose body, where a handler asks for `data`, is decoded by `decode_body`."""

    async def json(self) -> Any:
        field = self.scope["route_handler"].parsed_data_field
        assert field is not None, "only a handler that takes data asks for it"
        kind, _, rest = self.headers.get("content-type", "").partition(";")
        if kind.strip().lower() != "application/json" or rest.strip().lower() not in _CHARSETS:
            raise Refused(415, "", "the body must be JSON, with Content-Type: application/json")
        return decode_body(await self.body(), field.annotation)


def decode_body(raw: bytes, wanted: type[T]) -> T:
    """Decode JSON into `wanted`.

    Raises:
        Refused: 400, with the path of the field that is wrong; also for a key written twice, NaN, text that is not
            Unicode, and nesting without end.
    """
    try:
        tree = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_float=_number,
            parse_int=_integer,
        )
        if _ESCAPED.search(raw):
            _refuse_unspeakable(tree)
        return msgspec.convert(tree, wanted, dec_hook=_decode)
    except msgspec.ValidationError as error:
        found = _PATH.match(str(error))
        assert found is not None
        problem = FieldProblem(where=found["where"] or "$", detail=found["detail"])
        raise Refused(400, "", f"{problem.where}: {problem.detail}", errors=(problem,)) from error
    except (ValueError, RecursionError) as error:
        said = str(error) if type(error) is ValueError else "the body is not JSON in UTF-8, or is nested too deeply"
        raise Refused(400, "", said, errors=(FieldProblem(where="$", detail=said),)) from error


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a key is written twice in one object")
    return tree


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _number(text: str) -> Decimal:
    if _LITERAL.fullmatch(text) is None:
        raise ValueError("a number has too many digits or too large an exponent")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS_MAX:
        raise ValueError("a whole number has too many digits")
    return int(text)


def _refuse_unspeakable(tree: Any) -> None:
    # A lone surrogate cannot be written back as UTF-8, and a NUL cannot be stored as text.
    text = json.dumps(tree, ensure_ascii=False, default=str)
    if "\\u0000" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a text holds NUL or half of a surrogate pair")


def _decode(wanted: type, value: Any) -> Any:
    if wanted is Number:
        if type(value) is int:
            value = Decimal(value)
        if type(value) is Decimal:
            checked("a number", value)
            return value
        if type(value) is not str:
            raise ValueError(f"a number was expected, got {type(value).__name__}")
        return decode_hook(Exact, value)
    if wanted is Exact and type(value) is not str:
        raise ValueError("this number travels as text")
    return decode_hook(wanted, value)
