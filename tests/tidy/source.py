"""Reading the house's own source as syntax trees: what the tidy rules share."""

import ast
import builtins
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src" / "tmt"
TESTS = REPOSITORY / "tests"


@dataclass(frozen=True)
class Finding:
    """One breach of a rule, shown as `path:line: what`."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Module:
    """A file and its syntax tree. `path` is relative to src/tmt (or to tests), with forward slashes."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def name(self) -> str:
        """Dotted name: `tmt.agents.aria.decide`, and `tmt.agents.aria` for its `__init__.py`."""
        parts = ["tmt", *self.path.removesuffix(".py").split("/")]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def line_count(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def imported_names(self) -> dict[str, str]:
        """Local name -> the full name it stands for: {"np": "numpy", "now": "time.monotonic"}."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.split(".")[0]
                    names[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return names

    def full_name(self, node: ast.AST) -> str | None:
        """What a name or dotted name means, seen through the imports; None when it is no plain name.

        `np.random` is "numpy.random", `hash` is "builtins.hash", and what belongs to the file itself starts with a
        dot: `self.price` is ".self.price". So a parameter called `random` is not taken for the module.
        """
        if isinstance(node, ast.Name):
            unimported = f"builtins.{node.id}" if hasattr(builtins, node.id) else f".{node.id}"
            return self.imported_names.get(node.id, unimported)
        if isinstance(node, ast.Attribute):
            owner = self.full_name(node.value)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    def references(self) -> Iterator[tuple[ast.AST, str]]:
        """Every name that is imported or read, dotted ones whole, as the full name it stands for."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
        yield from self._dotted_names(self.tree)

    def _dotted_names(self, node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
        name = self.full_name(node)
        if name is not None:
            if isinstance(getattr(node, "ctx", None), ast.Load):
                yield node, name
            return
        for child in ast.iter_child_nodes(node):
            yield from self._dotted_names(child)

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call of a plain or dotted name, with the full name of what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and (name := self.full_name(node.func)) is not None:
                yield node, name

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def comments(self) -> Iterator[tuple[int, str]]:
        """Every comment and docstring, as (line, text)."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
        for node in self.nodes:
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node)
                if docstring is not None:
                    yield node.body[0].lineno, docstring

    def finding(self, node: ast.AST | int, what: str) -> Finding:
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return Finding(self.path, line, what)


Rule = Callable[[Module], Iterator[Finding]]


@cache
def modules_under(folder: Path) -> tuple[Module, ...]:
    """Every Python file below a folder, by path."""
    paths = sorted(folder.rglob("*.py"))
    return tuple(Module(path.relative_to(folder).as_posix(), path.read_text("utf-8")) for path in paths)


def house_modules() -> tuple[Module, ...]:
    """The modules of src/tmt; never none, so that no rule passes for want of something to read."""
    modules = modules_under(SOURCE)
    assert len(modules) > 1, f"nothing to read in {SOURCE}"
    return modules


def breaches(rule: Rule, modules: tuple[Module, ...]) -> str:
    """What a rule finds in some modules, a line each; empty when all is tidy."""
    return "\n".join(str(finding) for module in modules for finding in rule(module))


def assert_tidy(rule: Rule, modules: tuple[Module, ...]) -> None:
    found = breaches(rule, modules)
    if found:
        pytest.fail(found, pytrace=False)


def snippet(text: str, path: str = "domain/order.py") -> Module:
    """A module that exists only in a test, as if it stood at that path under src/tmt."""
    return Module(path, text)


def lies_in(path: str, places: tuple[str, ...]) -> bool:
    """Whether a path matches one of some places: `agents/*`, `adapters/clock*`, `messages.py`."""
    return any(fnmatchcase(path, place) for place in places)


def is_or_is_below(name: str, parent: str) -> bool:
    """Whether a dotted name is another or lies inside it: `numpy.random.PCG64` lies in `numpy.random`."""
    return name == parent or name.startswith(f"{parent}.")
