"""Is a service's description of itself true?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from litestar import delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from tests.unit.web.rig import Served, people, serving
from tests.unit.web.schema_check import check_schema
from tmt.access import Operation
from tmt.domain.money import Exact
from tmt.web.body import Number
from tmt.web.keeper import requires
from tmt.web.problem import Refused


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    symbol: Annotated[str, msgspec.Meta(pattern="^[A-Z]{1,9}$")]
    quantity: Number
    price: Number | None = None
    note: Annotated[str, msgspec.Meta(max_length=20)] = ""


class Granted(msgspec.Struct, frozen=True):
    quantity: Exact
    price: Exact | None


@post("/wishes", status_code=200, guards=[requires(Operation.TRADE)])
async def wish(data: JSONBody[Wish]) -> Granted:
    return Granted(data.quantity, data.price)


@delete("/wishes/{name:str}", status_code=200, guards=[requires(Operation.TRADE)])
async def withdraw(name: FromPath[str]) -> dict[str, str]:
    return {"name": name}


@get("/wishes")
async def wishes(
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100, after: FromQuery[str | None] = None
) -> dict[str, int]:
    return {"limit": limit}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with people(tmp_path) as access, serving([wish, withdraw, wishes], access) as served:
        yield served


@pytest.mark.slow
def test_nothing_that_schemathesis_asks_is_answered_otherwise_than_described(served: Served, tmp_path: Path) -> None:
    check_schema(served.server.url, served.headers("trader"), tmp_path)


@get("/teapot", status_code=200)
async def teapot(cups: FromQuery[int] = 1) -> dict[str, int]:
    if cups > 3:
        raise Refused(418, "", "too many cups")
    return {"cups": cups}


@pytest.mark.slow
def test_an_answer_that_the_description_does_not_name_is_found(tmp_path: Path) -> None:
    with people(tmp_path) as access, serving([teapot], access) as served, pytest.raises(AssertionError, match="418"):
        check_schema(served.server.url, served.headers("viewer"), tmp_path)
