"""What may not be named, and where: the clock, chance, input and output, unsafe calls."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.tidy.source import (
    Finding,
    Module,
    Rule,
    assert_tidy,
    breaches,
    house_modules,
    is_or_is_below,
    lies_in,
    snippet,
)

EVERYWHERE = ("*",)
DECISION_PATH = (
    "domain/*",
    "market/*",
    "agents/*",
    "venue/*",
    "projections/*",
    "messages/*",
    "runner.py",
    "timeline.py",
    "invariants.py",
    "watch.py",
)


@dataclass(frozen=True)
class Ban:
    """Names that may not be used in some places. A name covers what lies below it."""

    what: str
    names: tuple[str, ...]
    places: tuple[str, ...] = EVERYWHERE
    but_not_in: tuple[str, ...] = ()
    allowed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __call__(self, module: Module) -> Iterator[Finding]:
        if not lies_in(module.path, self.places) or lies_in(module.path, self.but_not_in):
            return
        allowed = self.allowed.get(module.path, ())
        for node, name in module.references():
            if any(is_or_is_below(name, banned) for banned in self.names) and not lies_in(name, allowed):
                yield module.finding(node, f"{self.what}: {name}")


BANS = {
    ban.what: ban
    for ban in (
        Ban(
            "the wall clock is read only by its adapter and the command line",
            tuple(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter") for unit in ("", "_ns"))
            + tuple(f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")),
            but_not_in=("adapters/clock*", "cli/*"),
        ),
        Ban(
            "no chance in the decision path",
            ("random", "secrets", "uuid", "os.urandom", "numpy.random"),
            DECISION_PATH,
            allowed={"market/simulator.py": ("numpy.random", "numpy.random.Generator", "numpy.random.PCG64")},
        ),
        Ban("hash() differs from process to process", ("builtins.hash",), DECISION_PATH),
        Ban(
            "agents and domain do no input, output or telemetry",
            ("asyncio", "socket", "subprocess", "threading", "logging", "structlog", "builtins.open", "builtins.print"),
            ("agents/*", "domain/*"),
        ),
        Ban(
            "the decimal context belongs to domain/money.py",
            ("decimal.getcontext", "decimal.setcontext", "decimal.DefaultContext"),
            but_not_in=("domain/money.py",),
        ),
        Ban(
            "data never becomes code",
            ("pickle", "marshal", "shelve", "builtins.eval", "builtins.exec", "yaml.unsafe_load", "yaml.full_load"),
        ),
    )
}


def unseeded_generators(module: Module) -> Iterator[Finding]:
    """A generator of chance is given its seed by name or place, and the seed is not None."""
    for call, name in module.calls():
        if name in {"numpy.random.PCG64", "numpy.random.default_rng", "random.Random"}:
            seeds = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "seed")]
            if not seeds or (isinstance(seeds[0], ast.Constant) and seeds[0].value is None):
                yield module.finding(call, f"{name} without a seed")


def unsafe_yaml(module: Module) -> Iterator[Finding]:
    """`yaml.load` is given a SafeLoader, or something named as a kind of one."""
    for call, name in module.calls():
        if name in {"yaml.load", "yaml.load_all"}:
            loaders = [module.full_name(keyword.value) or "" for keyword in call.keywords if keyword.arg == "Loader"]
            if not (loaders and loaders[0].endswith("SafeLoader")):
                yield module.finding(call, f"{name} without Loader=yaml.SafeLoader")


def bare_excepts(module: Module) -> Iterator[Finding]:
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield module.finding(node, "bare except")


RULES: dict[str, Rule] = {**BANS, **{rule.__name__: rule for rule in (unseeded_generators, unsafe_yaml, bare_excepts)}}

CAUGHT = (
    ("wall clock", "gateway/api.py", "import time\nnow = time.time()"),
    ("wall clock", "runner.py", "import time as t\nread = t.monotonic_ns"),
    ("wall clock", "ops/health.py", "from time import perf_counter"),
    ("wall clock", "domain/session.py", "from datetime import UTC, datetime\nday = datetime.now(UTC).date()"),
    ("wall clock", "domain/session.py", "import datetime\nday = datetime.date.today()"),
    ("chance", "agents/aria/decide.py", "import random"),
    ("chance", "messages/inputs.py", "from uuid import uuid4"),
    ("chance", "venue/book.py", "import os\nsalt = os.urandom(8)"),
    ("chance", "market/bar.py", "import numpy as np\nrng = np.random.Generator(np.random.PCG64(1))"),
    ("chance", "market/simulator.py", "import numpy as np\nrng = np.random.default_rng(1)"),
    ("hash()", "projections/desk.py", "key = hash('a')"),
    ("input, output", "agents/aria/agent.py", "import structlog"),
    ("input, output", "domain/ledger.py", "text = open('ledger').read()"),
    ("decimal context", "venue/book.py", "from decimal import getcontext\ngetcontext().prec = 9"),
    ("data never", "adapters/cache/memory.py", "import pickle"),
    ("data never", "cli/main.py", "eval('1')"),
    ("unseeded", "market/simulator.py", "from numpy.random import PCG64\nbits = PCG64()"),
    ("unseeded", "market/simulator.py", "from numpy.random import PCG64\nbits = PCG64(seed=None)"),
    ("yaml", "config.py", "import yaml\nyaml.load('a: 1', Loader=yaml.Loader)"),
    ("bare", "cli/main.py", "try:\n    pass\nexcept:\n    pass"),
)
LET_PASS = (
    ("adapters/clock/system.py", "import time\nnow_ns = time.time_ns()"),
    ("domain/session.py", "from datetime import datetime\nday = datetime.fromtimestamp(0)"),
    ("domain/ledger.py", "class Snapshot:\n    hash: bytes\n    open: bool"),
    ("agents/aria/decide.py", "def pick(random: int, time: int) -> int:\n    return random + time"),
    ("loadtest/driver.py", "import random\nrng = random.Random(7)"),
    ("market/simulator.py", "import numpy as np\nrng = np.random.Generator(np.random.PCG64(seed))"),
    ("domain/money.py", "from decimal import getcontext\ngetcontext().prec = 28"),
    ("config.py", "import yaml\nyaml.load('a: 1', Loader=yaml.CSafeLoader)"),
    ("venue/book.py", "from decimal import localcontext"),
)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_names_nothing_that_is_banned(rule: str) -> None:
    assert_tidy(RULES[rule], house_modules())


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT)
def test_a_banned_name_is_caught(rule: str, path: str, text: str) -> None:
    [matching] = [found for title, found in RULES.items() if rule in title]
    assert breaches(matching, (snippet(text, path),))


@pytest.mark.parametrize(("path", "text"), LET_PASS)
def test_a_permitted_name_passes(path: str, text: str) -> None:
    assert not "".join(breaches(rule, (snippet(text, path),)) for rule in RULES.values())
