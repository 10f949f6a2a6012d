"""What commands are described with: their parameters, and the options that many of them take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["flag", "text", "whole", "number", "path"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument; `many` takes one or more, unless `required` is false."""

    name: str
    help: str
    kind: Kind = "text"
    required: bool = True
    many: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        flags: such as ("--for",); the first names it.
        name: the keyword it arrives as; empty: the first flag's own word.
        metavar: what its value is called; empty for flags.
        repeated: may be given several times.
    """

    flags: tuple[str, ...]
    help: str
    kind: Kind = "text"
    name: str = ""
    metavar: str = ""
    default: str | int | None = None
    required: bool = False
    repeated: bool = False
    choices: tuple[str, ...] = ()

    @property
    def keyword(self) -> str:
        return self.name or self.flags[0].removeprefix("--").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        words: such as ("book", "reset").
        run: "module:function", imported when the command runs; takes `Terminal`, `Chosen`, and what is left of the
            parameters by name.
        result: "module:Struct" that `--json` prints; empty when the command has no `--json`.
        exits: exit statuses beside 0, 1 and 2.
        examples: command lines that work as they stand in a folder with the file quotes.csv.
    """

    words: tuple[str, ...]
    summary: str
    run: str
    examples: tuple[str, str]
    details: str = ""
    parameters: tuple[Argument | Option, ...] = ()
    result: str = ""
    exits: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        return " ".join(self.words)


JSON: Final = Option(("--json",), "Print one JSON object on standard output.", "flag")
STATE: Final = Option(
    ("--state",), "Folder of the books; also TMT_STATE. Default: your user state folder.", "path", metavar="DIR"
)
CONFIG: Final = Option(
    ("--config",), "Folder of configuration files that replace the defaults; also TMT_CONFIG.", "path", metavar="DIR"
)
OVERRIDE: Final = Option(
    ("--set",), "Set one key of the configuration.", name="overrides", metavar="SECTION.KEY=VALUE", repeated=True
)
BOOK: Final = Option(("--book",), "Name of the book. Default: the one in use.", metavar="NAME")
SEED: Final = Option(
    ("--seed",), "Seed of everything that is drawn by lot; 0 or more.", "whole", metavar="N", default=7
)
REASON: Final = Option(("--reason",), "Why; kept in the log.", metavar="TEXT", required=True)
SHARED: Final = Option(
    ("--shared",),
    "The desk of several processes, in the database of `tmt config show stores`, not the state folder.",
    "flag",
)
ACCOUNT: Final = Option(
    ("--account",), "An account that may be touched. Default: all.", name="accounts", metavar="NAME", repeated=True
)
ASK: Final = Option(("--ask",), "Ask for the password. Default: one of chance, shown once.", "flag")
STDIN: Final = Option(("--stdin",), "Read the password from a line of standard input.", "flag")
SCOPE: Final = (
    Option(("--account",), "Only this account.", metavar="NAME"),
    Option(("--strategy",), "Only this strategy.", metavar="NAME"),
    Option(("--instrument",), "Only this instrument.", metavar="SYMBOL"),
    Option(("--venue",), "Only this venue.", metavar="NAME"),
)
INSTRUMENT: Final = Option(("--instrument",), "Instrument of the data, such as EURUSD.", metavar="SYMBOL")
