"""Is the gateway's description of itself true, down to what nobody would ask?"""

from pathlib import Path

import pytest

from tests.unit.gateway.desk import gateway
from tests.unit.web.schema_check import check_schema


@pytest.mark.slow
@pytest.mark.parametrize("who", ["trader", "admin"])
def test_nothing_that_schemathesis_asks_is_answered_otherwise_than_described(tmp_path: Path, who: str) -> None:
    with gateway(tmp_path) as served:
        check_schema(
            served.server.url,
            served.headers(who),
            tmp_path,
            exclude_paths=("/api/v1/sessions/current", "/api/v1/me/password", "/api/v1/users/{name}/sessions"),
        )
