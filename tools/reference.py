"""The reference page of the commands, and the schemas of what they answer; both generated from the registry.

`python -m tools.reference` writes them into a checkout; a test fails when they are stale.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import msgspec

from tmt.cli.entries import Argument, Command, Option
from tmt.cli.exit_codes import MEANINGS
from tmt.cli.registry import COMMANDS
from tmt.domain.money import Exact

ROOT: Final = Path(__file__).parents[1]
SCHEMAS: Final = ROOT / "src" / "tmt" / "cli" / "schemas"
PAGE: Final = ROOT / "docs" / "reference" / "commands.md"
FAILURE: Final = "tmt.cli.results:Failure"


def result_type(name: str) -> Any:
    """The struct that "module:Struct" names."""
    module, _, struct = name.partition(":")
    return getattr(importlib.import_module(module), struct)


def schema_name(entry: Command) -> str:
    """File name of a command's schema."""
    return f"{'-'.join(entry.words)}.json"


def schemas() -> dict[str, str]:
    """File name -> JSON schema (draft 2020-12), for every command with `--json` and for failures."""
    wanted = {schema_name(entry): entry.result for entry in COMMANDS if entry.result}
    return {name: _schema(result_type(struct)) for name, struct in {**wanted, "failure.json": FAILURE}.items()}


def _schema(kind: Any) -> str:
    schema = msgspec.json.schema(kind, schema_hook=_exact)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return msgspec.json.format(msgspec.json.encode(schema)).decode() + "\n"


def _exact(kind: type) -> dict[str, Any]:
    if kind is Exact:
        return {"type": "string", "description": "an exact decimal number"}
    raise NotImplementedError


def page() -> str:
    """The reference page, as Markdown."""
    lines = [
        "# Commands",
        "",
        "Generated from the registry of commands (`python -m tools.reference`); do not edit.",
        "",
        "With `--json` a command prints one JSON object on standard output: its answer, or, when it fails, one of",
        "`failure.json`. The schemas ship with the package, in `tmt/cli/schemas/`. Answers go to standard output,",
        "everything else to standard error. `NO_COLOR` and `--plain` turn colour off. Every command takes `--help`,",
        "`--plain` and `--debug`.",
        "",
        "| exit status | meaning |",
        "|--:|---|",
        *(f"| {int(code)} | {text} |" for code, text in MEANINGS.items()),
        "",
    ]
    for entry in COMMANDS:
        lines += _section(entry)
    return "\n".join(lines)


def _section(entry: Command) -> list[str]:
    arguments = [each for each in entry.parameters if isinstance(each, Argument)]
    options = [each for each in entry.parameters if isinstance(each, Option)]
    usage = " ".join(["tmt", entry.name, *("[options]" for _ in options[:1]), *map(_usage, arguments)])
    lines = [f"## tmt {entry.name}", "", entry.summary, *(["", entry.details] if entry.details else [])]
    lines += ["", "```text", usage, "```", ""]
    if entry.parameters:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_usage(each)}` | {_escaped(each.help)} |" for each in arguments]
        lines += [f"| `{_flags(each)}` | {_escaped(each.help)}{_default(each)} |" for each in options]
        lines.append("")
    lines += ["```sh", *entry.examples, "```", ""]
    if entry.result:
        lines += [f"`--json` answers with `{entry.result.partition(':')[2]}`: `{schema_name(entry)}`.", ""]
    exits = ", ".join(str(code) for code in (0, 1, 2, *entry.exits))
    return [*lines, f"Exit status: {exits}.", ""]


def _usage(argument: Argument) -> str:
    text = argument.name.upper().rstrip("S") + ("..." if argument.many else "")
    return text if argument.required else f"[{text}]"


def _flags(option: Option) -> str:
    return _escaped(f"{option.flags[0]} {option.metavar}".strip())


def _default(option: Option) -> str:
    required = " Required." if option.required else ""
    repeated = " May be repeated." if option.repeated else ""
    return f"{required}{repeated}" + (f" Default: {option.default}." if option.default is not None else "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def write() -> None:
    """Write the page and the schemas."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (SCHEMAS / name).write_text(text)


if __name__ == "__main__":
    write()
