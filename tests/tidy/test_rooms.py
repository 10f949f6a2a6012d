"""Every room is furnished alike and leads somewhere: the agents' shape, and no module that nobody uses."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.tidy.source import SOURCE, Finding, Module, assert_tidy, breaches, house_modules, is_or_is_below, snippet

AGENTS = (
    "wyckoff",
    "aria",
    "anti_correlation",
    "human_behavior",
    "compliance",
    "circuit_breaker",
    "execution",
    "improvement",
)
AGENT_FILES = {"__init__.py", "agent.py", "config.py", "decide.py"}
SHARED_BY_AGENTS = {"__init__.py", "verdict.py"}
ENTRY_POINTS = {"tmt.cli.main", "tmt.__main__"}
READ_BY_ALEMBIC = "tmt.adapters.postgres.migrations"
MODULE_IN_TEXT = re.compile(r"tmt(\.\w+)+(:\w+)?")

# What a file of an agent may import of the house; every file may import from its own agent, verdicts and errors.
MAY_IMPORT = {
    "config.py": ("tmt.domain", "tmt.market"),
    "agent.py": ("tmt.domain", "tmt.market", "tmt.messages", "tmt.projections", "tmt.ports"),
    "any other": ("tmt.domain", "tmt.market", "tmt.messages", "tmt.projections"),
}


def house_imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Every name of the house that a module imports, in full: `from tmt.domain import order` is tmt.domain.order."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node, name) for name in names if is_or_is_below(name, "tmt"))


def used_names(module: Module) -> Iterator[str]:
    """The house's names that a module imports, or writes out for a late import: "tmt.cli.why:main"."""
    yield from (name for _, name in house_imports(module))
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_IN_TEXT.fullmatch(node.value):
            yield node.value.replace(":", ".")


def unused_modules(modules: tuple[Module, ...]) -> list[str]:
    """Modules that no other module of the house imports, and that are no entry point and no package."""
    used_by_others = {(name, module.name) for module in modules for name in used_names(module)}
    return [
        module.path
        for module in modules
        if not module.path.endswith("__init__.py")
        and module.name not in ENTRY_POINTS
        and not is_or_is_below(module.name, READ_BY_ALEMBIC)
        and not any(is_or_is_below(name, module.name) and user != module.name for name, user in used_by_others)
    ]


def imports_beyond_the_agent(module: Module) -> Iterator[Finding]:
    match module.path.split("/"):
        case ["agents", agent, *_, file] if file != "__init__.py":
            may = (
                f"tmt.agents.{agent}",
                "tmt.agents.verdict",
                "tmt.errors",
                *MAY_IMPORT.get(file, MAY_IMPORT["any other"]),
            )
            for node, name in house_imports(module):
                if not any(is_or_is_below(name, room) for room in may):
                    yield module.finding(node, f"{file} of an agent may not import {name}")


@pytest.mark.parametrize("agent", AGENTS)
def test_the_agent_exists_and_has_the_shape_of_all_agents(agent: str) -> None:
    files = {path.name for path in (SOURCE / "agents" / agent).glob("*.py")}
    missing = sorted(AGENT_FILES - files)
    assert not missing, f"missing in agents/{agent}: {missing}"


def test_there_is_no_ninth_agent_and_agents_share_only_their_verdicts() -> None:
    rooms = {module.path.split("/")[1] for module in house_modules() if module.path.startswith("agents/")}
    assert not rooms - {*AGENTS, *SHARED_BY_AGENTS}


def test_agents_import_only_what_their_shape_allows() -> None:
    assert_tidy(imports_beyond_the_agent, house_modules())


def test_every_module_is_used() -> None:
    unused = unused_modules(house_modules())
    assert not unused, f"imported by no other module, and no entry point: {unused}"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("agents/aria/config.py", "from tmt.messages import OrderSized"),
        ("agents/aria/decide.py", "from tmt.ports.bus import Bus"),
        ("agents/aria/sizing.py", "import tmt.venue.book"),
        ("agents/aria/agent.py", "from tmt.agents.compliance import config"),
        ("agents/aria/agent.py", "from tmt import runner"),
    ],
)
def test_an_import_beyond_the_agent_is_caught(path: str, text: str) -> None:
    assert breaches(imports_beyond_the_agent, (snippet(text, path),))


def test_imports_within_the_shape_pass() -> None:
    text = "from decimal import Decimal\nimport tmt.agents.aria.config\nfrom tmt.messages import OrderSized"
    assert not breaches(imports_beyond_the_agent, (snippet(text, "agents/aria/decide.py"),))


def test_an_unused_module_is_caught_even_when_it_names_itself() -> None:
    modules = (snippet("import tmt.domain.lonely", "domain/lonely.py"), snippet("", "cli/main.py"))
    assert unused_modules(modules) == ["domain/lonely.py"]


@pytest.mark.parametrize(
    "text", ["from tmt.cli import why", "from tmt.cli.why import main", "late = 'tmt.cli.why:main'"]
)
def test_a_module_that_is_imported_or_named_for_a_late_import_is_used(text: str) -> None:
    assert not unused_modules((snippet("", "cli/why.py"), snippet(text, "cli/main.py")))
