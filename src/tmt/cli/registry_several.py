"""The commands of a desk of several processes."""

from __future__ import annotations

from typing import Final

from tmt.cli.entries import BOOK, CONFIG, INSTRUMENT, JSON, OVERRIDE, SEED, SHARED, STATE, Argument, Command, Option

_INSTANCE: Final = Option(
    ("--instance",), "Number of this process among those of the same agents.", "whole", metavar="N", default=0
)
_FOR: Final = Option(("--for",), "Stop after so many seconds.", "number", name="seconds", metavar="SECONDS")
_HOST: Final = Option(
    ("--host",), "Address to listen on; beyond this machine only with --tls.", metavar="ADDRESS", default="127.0.0.1"
)
_TLS: Final = Option(("--tls",), "Serve over TLS, with certificates of the desk's own authority.", "flag")

SEVERAL: Final = (
    Command(
        ("agent", "run"),
        "Run agents in this process, over Kafka; with `execution`, the engine.",
        "tmt.cli.agent:run",
        ("tmt agent run aria compliance --for 1", "tmt agent run wyckoff --instance 1 --for 1"),
        "Needs the database and the brokers of `tmt config show stores bus`. Several instances of one agent share its"
        " work and stand in for one another. Stops at ctrl-C or SIGTERM.",
        (
            Argument("names", "Names of agents: wyckoff, aria, anti_correlation, ...", many=True),
            Option(("--direct",), "Agents named beside the engine answer in it, without the bus.", "flag"),
            _INSTANCE,
            Option(
                ("--feed",), "Of the engine; as `tmt up` takes it.", metavar="FEED", default="simulator", repeated=True
            ),
            INSTRUMENT,
            Option(("--speed",), "Of the engine: seconds of event time in a second.", "number", metavar="X", default=1),
            Option(
                ("--history",),
                "Of the engine: hours that the simulator makes up before now.",
                "number",
                metavar="HOURS",
                default=0,
            ),
            SEED,
            Option(
                ("--port",),
                "Of the engine, default 9001; of agents' /health, /ready and /metrics, default any that is free.",
                "whole",
                metavar="N",
            ),
            _HOST,
            _TLS,
            _FOR,
            STATE,
            BOOK,
            CONFIG,
            OVERRIDE,
        ),
        exits=(3, 4, 5, 6, 130),
    ),
    Command(
        ("gateway", "run"),
        "Run the gateway of a desk of several processes: the page, the REST API and the stream.",
        "tmt.cli.serve:gateway",
        ("tmt gateway run --port 0 --for 1", "tmt gateway run --engine https://127.0.0.1:9001 --tls --port 0 --for 1"),
        "Reads the log in the database; sends commands to the engine.",
        (
            Option(("--port",), "Port; 0 takes any that is free.", "whole", metavar="N", default=8000),
            _HOST,
            Option(("--engine",), "Address of the engine.", metavar="URL", default="http://127.0.0.1:9001"),
            _TLS,
            _FOR,
            STATE,
            CONFIG,
            OVERRIDE,
        ),
        exits=(4, 130),
    ),
    Command(
        ("storage", "run"),
        "Run the storage API of a desk of several processes.",
        "tmt.cli.serve:storage",
        ("tmt storage run --port 0 --for 1", "tmt storage run --tls --port 0 --for 1"),
        "Folds the log in the database into series (TimescaleDB, or PostgreSQL alone) and serves them.",
        (
            Option(("--port",), "Port; 0 takes any that is free.", "whole", metavar="N", default=8001),
            _HOST,
            _TLS,
            _FOR,
            STATE,
            CONFIG,
            OVERRIDE,
        ),
        exits=(4, 130),
    ),
    Command(
        ("parity",),
        "Run a log again in one process, and show the first message that differs.",
        "tmt.cli.parity:run",
        ("tmt parity", "tmt parity main --json"),
        "Compares every message, the hash of all decisions and the hash of the ledger. Takes the book's own"
        " configuration unless --config or --set say otherwise. Exits with 5 when something differs.",
        (
            Argument("log", "A book, its folder, or its events.sqlite. Default: the book in use.", required=False),
            SHARED,
            STATE,
            BOOK,
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.parity:Parity",
        exits=(3, 4, 5, 7),
    ),
    Command(
        ("database", "migrate"),
        "Bring the database's schema to the newest revision, or to another.",
        "tmt.cli.database:migrate",
        ("tmt database migrate", "tmt database migrate --json"),
        "The database is the one of `tmt config show stores`. One migration runs at a time, whole or not at all.",
        (
            Option(("--revision",), "Where to; `base` is an empty schema.", metavar="REVISION", default="head"),
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.database:SchemaAt",
        exits=(4,),
    ),
    Command(
        ("bus", "topics"),
        "Create the topics that the brokers lack.",
        "tmt.cli.bus:make_topics",
        ("tmt bus topics", "tmt bus topics --json"),
        "Every process does so itself when it starts.",
        (CONFIG, OVERRIDE, JSON),
        result="tmt.cli.bus:TopicsMade",
        exits=(4,),
    ),
    Command(
        ("bus", "dead-letters"),
        "List records that nobody could take, with the reason.",
        "tmt.cli.bus:show",
        ("tmt bus dead-letters", "tmt bus dead-letters --limit 10 --json"),
        "",
        (
            Option(("--limit",), "At most so many, 1 to 1000.", "whole", metavar="N", default=100),
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.bus:DeadLetterList",
        exits=(3, 4),
    ),
    Command(
        ("bus", "replay"),
        "Put a dead letter back on its topic.",
        "tmt.cli.bus:replay",
        ("tmt bus replay orders 0", "tmt bus replay answers 3 --json"),
        "The dead letter stays where it is. What the log holds already changes nothing when it comes again.",
        (
            Argument("topic", "As `tmt bus dead-letters` shows it."),
            Argument("offset", "Of the dead letter.", "whole"),
            CONFIG,
            OVERRIDE,
            JSON,
        ),
        result="tmt.cli.bus:DeadLetterList",
        exits=(3, 4, 7),
    ),
)
