"""The process that runs one SELECT of somebody else's on a copy of the series, and ends.

What it may do is bounded three times over: by what the statement names, by DuckDB's settings, and by the kernel. It
gets an empty environment, the copy is opened read-only, and no regular file can be written.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from tmt.ports.series import SCHEMAS

ADDRESS_SPACE_FACTOR: Final = 8
"""Address space beside DuckDB's own memory: libraries and thread stacks take much that is never touched."""

OPEN_FILES_MAX: Final = 32
BATCH_ROWS: Final = 1024
EXIT_REFUSED: Final = 3
TABLE_FUNCTIONS: Final = ("range", "generate_series", "unnest")
"""All others read files, change settings, run other SQL or take addresses in memory."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker is told on its standard input.

    Attributes:
        database: path of the copy.
        statement: what to run.
        rows_max, bytes_max: of the answer; a longer one is refused, never cut.
        memory_max_mb: what DuckDB may use.
        cpu_seconds_max: after which the kernel ends the process.
    """

    database: str
    statement: str
    rows_max: int
    bytes_max: int
    memory_max_mb: int
    cpu_seconds_max: int


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker says on its standard error instead of an answer."""

    code: str
    what: str


class _Refused(Exception):
    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.refusal = Refusal(code=code, what=what)


def main() -> int:
    """Answer one request: an Arrow stream on standard output, or a refusal on standard error."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    try:
        stream = _run(request)
    except _Refused as refused:
        sys.stderr.buffer.write(msgspec.json.encode(refused.refusal))
        return EXIT_REFUSED
    sys.stdout.buffer.write(stream)
    return 0


def _run(request: Request) -> memoryview:
    _bind(request)
    try:
        with duckdb.connect(
            request.database,
            read_only=True,
            config={
                "memory_limit": f"{request.memory_max_mb}MB",
                "threads": 1,
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "allow_persistent_secrets": False,
                "python_enable_replacements": False,
            },
        ) as db:
            db.execute("SET enable_external_access = false; SET lock_configuration = true")
            return _stream(db, _only_select(db, request.statement), request)
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise _Refused("TMT-Q006", f"the statement needs more than {request.memory_max_mb} MB of memory") from error
    except (duckdb.Error, pa.ArrowException, UnicodeError, RecursionError, ValueError) as error:
        raise _Refused("TMT-Q004", f"the statement cannot be run: {_first_line(error)}") from error


def _bind(request: Request) -> None:
    for kind, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES_MAX),
        (resource.RLIMIT_CPU, request.cpu_seconds_max),
        (resource.RLIMIT_AS, request.memory_max_mb * ADDRESS_SPACE_FACTOR << 20),
    ):
        resource.setrlimit(kind, (limit, limit))


def _only_select(db: duckdb.DuckDBPyConnection, statement: str) -> str:
    found = duckdb.extract_statements(statement)
    if len(found) != 1 or found[0].type is not duckdb.StatementType.SELECT:
        kinds = ", ".join(each.type.name for each in found[:5]) or "nothing"
        raise _Refused("TMT-Q005", f"one SELECT is taken and nothing else, this holds {kinds}")
    query = str(found[0].query)
    [(text,)] = db.execute("SELECT json_serialize_sql(?)", [query]).fetchall()
    tree = msgspec.json.decode(text)
    if tree["error"]:
        raise _Refused("TMT-Q005", f"one SELECT is taken and nothing else: {tree['error_message']}")
    _refuse_foreign_names(tree)
    return query


def _refuse_foreign_names(tree: dict[str, Any]) -> None:
    nodes = list(_nodes(tree))
    tables = {*SCHEMAS, *(entry["key"].lower() for node in nodes for entry in node.get("cte_map", {}).get("map", ()))}
    for node in nodes:
        kind = node.get("type")
        if kind == "BASE_TABLE":
            path = [name.lower() for name in node["qualified_name"]["path"]]
            if len(path) != 1 or path[0] not in tables:
                raise _Refused("TMT-Q005", f"there is no table {'.'.join(path)}; there are {', '.join(SCHEMAS)}")
        if kind == "TABLE_FUNCTION":
            name = node["function"]["function_name"].lower()
            if name not in TABLE_FUNCTIONS:
                raise _Refused("TMT-Q005", f"rows come from tables or {', '.join(TABLE_FUNCTIONS)}, not from {name}")


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _stream(db: duckdb.DuckDBPyConnection, statement: str, request: Request) -> memoryview:
    relation = db.sql(statement)
    if relation is None:
        raise _Refused("TMT-Q005", "the statement gives no rows")
    rows = size = 0
    sink = pa.BufferOutputStream()
    with relation.to_arrow_reader(BATCH_ROWS) as reader, pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            rows += batch.num_rows
            size += batch.nbytes
            if rows > request.rows_max:
                raise _Refused("TMT-Q007", f"the answer has more than {request.rows_max} rows: add a LIMIT")
            if size > request.bytes_max:
                raise _Refused("TMT-Q007", f"the answer has more than {request.bytes_max} bytes: ask for less")
            writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:500]


if __name__ == "__main__":
    sys.exit(main())
