"""Every command: what it takes, what it answers, two examples. Plain data, so that `tmt --help` imports nothing else.

The app, shell completion and the reference page are made from it.
"""

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


GROUPS: Final = {
    "book": "Start over, or keep several desks apart, without deleting anything.",
    "config": "See, explain and check the configuration.",
    "data": "Look at market data before trading on them.",
}

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
INSTRUMENT: Final = Option(("--instrument",), "Instrument of the data, such as EURUSD.", metavar="SYMBOL")

COMMANDS: Final = (
    Command(
        ("up",),
        "Run the desk in real time, on the simulator or on recorded data.",
        "tmt.cli.up:run",
        ("tmt up --for 2 --headless", "tmt up --feed quotes.csv --instrument EURUSD --speed 3600 --for 2 --json"),
        "Stops at ctrl-C or SIGTERM, or when the data end, with everything kept; the same command goes on from there.",
        (
            Option(
                ("--feed",),
                "simulator, or files and folders of recorded data.",
                metavar="simulator|PATH",
                default="simulator",
                repeated=True,
            ),
            INSTRUMENT,
            Option(("--speed",), "Seconds of event time in a second.", "number", metavar="X", default=1),
            Option(
                ("--history",),
                "Hours that the simulator makes up before now and the desk runs through first; 72 hold a Friday even at"
                " the end of a weekend.",
                "number",
                metavar="HOURS",
                default=72,
            ),
            SEED,
            STATE,
            BOOK,
            Option(("--port",), "Port of the page; 0 takes any that is free. Default: 8000.", "whole", metavar="N"),
            Option(("--for",), "Stop after so many seconds.", "number", name="seconds", metavar="SECONDS"),
            Option(("--headless",), "No live view; a line now and then instead.", "flag"),
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.projections.report:ReplayResult",
        exits=(3, 4, 5, 6, 130),
    ),
    Command(
        ("replay",),
        "Run the desk over recorded data, as fast as it goes.",
        "tmt.cli.replay:run",
        ("tmt replay quotes.csv --instrument EURUSD", "tmt replay quotes.csv --instrument EURUSD --seed 8 --json"),
        "Without --state and --book, each replay has a book of its own, named after its inputs. Ctrl-C keeps what was"
        " done, and the same command goes on from there.",
        (
            Argument("paths", "Files and folders of recorded data.", "path", many=True),
            Option(("--instrument",), "Instrument of the data.", metavar="SYMBOL", required=True),
            CONFIG,
            OVERRIDE,
            STATE,
            BOOK,
            SEED,
            Option(("--until",), "Stop before this event time (ISO 8601; UTC when it has no zone).", metavar="TIME"),
            Option(
                ("--speed",), "Seconds of event time in a second. Default: as fast as it goes.", "number", metavar="X"
            ),
            Option(
                ("--decisions",), "Write every decision to this file, a JSON object a line.", "path", metavar="FILE"
            ),
            JSON,
        ),
        result="tmt.projections.report:ReplayResult",
        exits=(3, 4, 5, 6, 130),
    ),
    Command(
        ("why",),
        "Show how a signal, order, fill or denial came about, from the bar to the closed position.",
        "tmt.cli.ask:why",
        ("tmt why 3fa9", "tmt why 3fa9 --json"),
        "ID may be the beginning of one. Without --book, every book is searched, the one in use first.",
        (Argument("id", "A message, order, client order or fill id, or its beginning."), STATE, BOOK, JSON),
        result="tmt.projections.trail:Trail",
        exits=(3, 4, 5, 7),
    ),
    Command(
        ("why-not",),
        "Show why there was no trade in an instrument at a time.",
        "tmt.cli.ask:why_not",
        ("tmt why-not EURUSD 2026-01-05T10:00Z", "tmt why-not EURUSD '2026-01-05 10:00' --json"),
        "TIME is ISO 8601; UTC when it has no zone.",
        (
            Argument("instrument", "Its symbol."),
            Argument("time", "Event time."),
            STATE,
            BOOK,
            JSON,
        ),
        result="tmt.projections.why_not:WhyNot",
        exits=(3, 4, 5, 7),
    ),
    Command(
        ("status",),
        "Show the book: session, event time, accounts, positions, breakers.",
        "tmt.cli.status:run",
        ("tmt status", "tmt status --json"),
        "Reads the log beside a running desk.",
        (STATE, BOOK, JSON),
        result="tmt.cli.results:Status",
        exits=(4, 5, 7),
    ),
    Command(
        ("stop",),
        "Emergency stop: no new risk, every working entry cancelled; survives restarts.",
        "tmt.cli.stop:stop",
        ("tmt stop --reason 'news'", "tmt stop --flatten --reason 'end of the week' --json"),
        "Without --book, stops every book of the state folder on which a desk runs, whichever is in use; when none"
        " runs, the one in use. Reaches a running desk through its inbox, and waits for it to obey. Lifted by `tmt"
        " resume` alone. Names every running desk that it did not reach; exits with 4 when one did not obey, or"
        " nothing took the command while a desk runs.",
        (
            Option(("--flatten",), "Close every position too.", "flag"),
            REASON,
            STATE,
            BOOK,
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.results:CommandGiven",
        exits=(3, 4, 5, 6, 7),
    ),
    Command(
        ("resume",),
        "Lift an emergency stop, or another halt that only a person may lift.",
        "tmt.cli.stop:resume",
        ("tmt resume --reason 'checked'", "tmt resume --reason 'checked' --json"),
        "Goes to the same books as `tmt stop`, and says what it lifted. Exits with 7 when nothing was halted.",
        (REASON, STATE, BOOK, CONFIG, OVERRIDE, JSON),
        result="tmt.cli.results:CommandGiven",
        exits=(3, 4, 5, 6, 7),
    ),
    Command(
        ("book", "list"),
        "List the books.",
        "tmt.cli.book:show",
        ("tmt book list", "tmt book list --json"),
        "",
        (STATE, JSON),
        result="tmt.cli.results:BookList",
    ),
    Command(
        ("book", "new"),
        "Make a book and use it.",
        "tmt.cli.book:new",
        ("tmt book new second", "tmt book new third --json"),
        "",
        (Argument("name", "Lower-case letters, digits, '.', '_', '-'."), STATE, JSON),
        result="tmt.cli.results:BookChanged",
        exits=(3, 4),
    ),
    Command(
        ("book", "switch"),
        "Use another book.",
        "tmt.cli.book:switch",
        ("tmt book switch main", "tmt book switch main --json"),
        "",
        (Argument("name", "A book of `tmt book list`."), STATE, JSON),
        result="tmt.cli.results:BookChanged",
        exits=(3, 4),
    ),
    Command(
        ("book", "reset"),
        "Move a book aside and start it anew; nothing is deleted.",
        "tmt.cli.book:reset",
        ("tmt book reset", "tmt book reset main --json"),
        "Refuses while a desk is writing the book. The old book stays in books/.trash.",
        (Argument("name", "A book. Default: the one in use.", required=False), STATE, JSON),
        result="tmt.cli.results:BookChanged",
        exits=(3, 4),
    ),
    Command(
        ("config", "show"),
        "Print the configuration in force, every layer merged.",
        "tmt.cli.settings:show",
        ("tmt config show aria", "tmt config show --json"),
        "`tmt config show SECTION > DIR/SECTION.yml` makes a file that --config DIR takes; so does rule_books/NAME.",
        (
            Argument("section", "Only this section, or one file of it: rule_books/NAME.", required=False),
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.results:ConfigShown",
    ),
    Command(
        ("config", "explain"),
        "Say what a key means, its value, and where it was set.",
        "tmt.cli.settings:explain",
        ("tmt config explain aria.risk_fraction", "tmt config explain accounts.accounts.0.deposit --json"),
        "",
        (Argument("key", "Such as aria.risk_fraction."), CONFIG, OVERRIDE, JSON),
        result="tmt.cli.results:KeyExplained",
    ),
    Command(
        ("config", "check"),
        "Check the configuration, and tell every mistake at once.",
        "tmt.cli.settings:check",
        ("tmt config check", "tmt config check --set aria.risk_fraction=0.005 --json"),
        "",
        (CONFIG, OVERRIDE, JSON),
        result="tmt.cli.results:ConfigChecked",
    ),
    Command(
        ("data", "inspect"),
        "Say what recorded data hold: format, rows, times, and what is wrong with them.",
        "tmt.cli.inspection:run",
        ("tmt data inspect quotes.csv --instrument EURUSD", "tmt data inspect quotes.csv --instrument EURUSD --json"),
        "Without --instrument, the symbol is guessed from file and folder names.",
        (
            Argument("paths", "Files and folders of recorded data.", "path", many=True),
            INSTRUMENT,
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.results:DataInspected",
        exits=(3,),
    ),
    Command(
        ("doctor",),
        "Check this machine, the installation and the book; say how to mend what is wrong.",
        "tmt.cli.doctor.command:run",
        ("tmt doctor", "tmt doctor --json"),
        "Works offline.",
        (
            Option(("--bundle",), "Also write a redacted archive for a bug report (.tar.gz).", "path", metavar="FILE"),
            STATE,
            BOOK,
            CONFIG,
            Option(("--port",), "Port to try.", "whole", metavar="N", default=8000),
            JSON,
        ),
        result="tmt.cli.results:Diagnosis",
        exits=(6,),
    ),
    Command(
        ("explain",),
        "Say what an error code means and what to do.",
        "tmt.cli.explain:run",
        ("tmt explain TMT-L009", "tmt explain TMT-C006 --json"),
        "Without a code, lists them all.",
        (Argument("code", "Such as TMT-L009.", required=False), JSON),
        result="tmt.cli.results:CodesExplained",
        exits=(7,),
    ),
    Command(
        ("completion",),
        "Print the script that completes commands in your shell.",
        "tmt.cli.completion:run",
        ("tmt completion bash", "tmt completion zsh"),
        'For bash: eval "$(tmt completion bash)" in ~/.bashrc. zsh alike; fish: tmt completion fish | source. It prints'
        " a script for the shell, so it takes no --json.",
        (Argument("shell", "bash, zsh or fish."),),
    ),
)
