"""The command line, built from the registry."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any, Final

import click

from tmt.cli.entries import Argument, Command, Option
from tmt.cli.exit_codes import MEANINGS
from tmt.cli.folders import Chosen
from tmt.cli.registry import COMMANDS, GROUPS
from tmt.cli.terminal import Terminal

_KINDS: Final[dict[str, Any]] = {"text": str, "whole": int, "number": float}
_EXITS_OF_ALL: Final = (0, 1, 2)
_CHOSEN: Final = ("state", "book", "config", "overrides")


class Group(click.Group):
    """Commands in the registry's order, and a suggestion for a mistyped one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            near = difflib.get_close_matches(word, self.commands, n=1, cutoff=0.5)
            known = ", ".join(self.commands)
            hint = f"did you mean '{near[0]}'?" if near else f"commands: {known}"
            raise click.UsageError(f"there is no command '{word}'; {hint}", ctx)
        return super().resolve_command(ctx, args)


class Leaf(click.Command):
    """A command whose examples and exit statuses are kept line by line in its help."""

    entry: Command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in self.entry.examples:
                formatter.write_text(example)
        with formatter.section("Exit status"):
            exits = [
                (str(int(code)), MEANINGS[code]) for code in MEANINGS if code in (*_EXITS_OF_ALL, *self.entry.exits)
            ]
            formatter.write_dl(exits)


def _parameter(declared: Argument | Option) -> click.Parameter:
    kind = click.Path() if declared.kind == "path" else _KINDS.get(declared.kind, str)
    if isinstance(declared, Argument):
        metavar = declared.name.upper().rstrip("S") + ("..." if declared.many else "")
        many = -1 if declared.many else 1
        return click.Argument(
            [declared.name],
            type=kind,
            nargs=many,
            required=declared.required,
            metavar=metavar if declared.required else f"[{metavar}]",
        )
    names = [*declared.flags, declared.keyword]
    if declared.kind == "flag":
        return click.Option(names, is_flag=True, help=declared.help)
    # A default of None is a value to click, which a required option would take for given.
    given: dict[str, Any] = {}
    if declared.default is not None:
        given["default"] = (declared.default,) if declared.repeated else declared.default
    return click.Option(
        names,
        type=click.Choice(declared.choices) if declared.choices else kind,
        help=declared.help,
        required=declared.required,
        multiple=declared.repeated,
        metavar=declared.metavar or None,
        show_default=declared.default is not None,
        **given,
    )


def _callback(entry: Command) -> Callable[..., int]:
    def call(plain: bool, debug: bool, **parameters: Any) -> int:
        module, _, function = entry.run.partition(":")
        run = getattr(importlib.import_module(module), function)
        terminal = Terminal(json=parameters.pop("json", False), plain=plain)
        chosen = Chosen(**{name: parameters.pop(name) for name in _CHOSEN if name in parameters})
        status: int | None = run(terminal, chosen, **parameters)
        return status or 0

    return call


def _leaf(entry: Command) -> Leaf:
    arguments = [parameter for parameter in entry.parameters if isinstance(parameter, Argument)]
    listed = "\n".join(f"{argument.name.upper().rstrip('S')}: {argument.help}" for argument in arguments)
    text = "\n\n".join(part for part in (entry.summary, entry.details, "\b\n" + listed if listed else "") if part)
    leaf = Leaf(
        entry.words[-1],
        params=[
            *map(_parameter, entry.parameters),
            click.Option(["--plain"], is_flag=True, help="No colour, no moving lines."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an unforeseen error."),
        ],
        callback=_callback(entry),
        help=text,
        short_help=entry.summary,
    )
    leaf.entry = entry
    return leaf


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from tmt import __version__

        click.echo(f"tmt {__version__}")
        ctx.exit(0)


def build() -> Group:
    """The whole command tree."""
    version = click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_print_version,
        help="Print the version.",
    )
    root = Group(
        "tmt",
        params=[version],
        help="An autonomous paper-trading desk: eight agents, one event log, every decision explained.",
        epilog="`tmt COMMAND --help` shows a command's options and two examples. `tmt doctor` checks this machine.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    for entry in COMMANDS:
        parent = root
        for depth in range(1, len(entry.words)):
            parent = _group(parent, entry.words[:depth])
        parent.add_command(_leaf(entry))
    return root


def _group(parent: Group, words: tuple[str, ...]) -> Group:
    found = parent.commands.get(words[-1])
    if not isinstance(found, Group):
        said = GROUPS[" ".join(words)]
        found = Group(words[-1], help=said, short_help=said)
        parent.add_command(found)
    return found
