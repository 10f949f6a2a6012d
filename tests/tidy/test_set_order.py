"""Sets have no order: in the decision path they are sorted before anybody walks through them."""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.tidy.source import Finding, Module, assert_tidy, breaches, house_modules, lies_in, snippet
from tests.tidy.test_banned_names import DECISION_PATH

SET_TYPES = {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}
SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
ORDER_SHOWN_BY = {"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "sum"}
ORDER_SHOWN_BY_METHODS = {"join", "extend"}
ORDER_FORGOTTEN_BY = {"sorted", "set", "frozenset", "any", "all"}


def called_name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_set_type(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).split("[")[0].split(".")[-1] in SET_TYPES


def is_set(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether an expression is plainly a set: by its form, or because a name or field is known to hold one."""
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
        case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, SET_OPERATORS):
            return is_set(left, names) or is_set(right, names)
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr=method)):
            return method in SET_METHODS and is_set(value, names)
        case _:
            return False


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope, without those of the functions inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from own_nodes(child)


def local_sets(scope: ast.AST) -> frozenset[str]:
    """Local names that a scope annotates as sets, or gives a set to."""
    names: set[str] = set()
    for node in own_nodes(scope):
        match node:
            case ast.arg(arg=name, annotation=annotation) if is_set_type(annotation):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if is_set_type(annotation):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_set(value, frozenset(names)):
                names.add(name)
    return frozenset(names)


@cache
def set_fields(modules: tuple[Module, ...]) -> frozenset[str]:
    """Field names that classes annotate as sets, and that no class annotates as anything else."""
    sets: set[str] = set()
    others: set[str] = set()
    for module in modules:
        for owner in (node for node in module.nodes if isinstance(node, ast.ClassDef)):
            for node in ast.walk(owner):
                if isinstance(node, ast.AnnAssign):
                    name = ast.unparse(node.target).removeprefix("self.")
                    (sets if is_set_type(node.annotation) else others).add(name)
    return frozenset(sets - others)


def walks(node: ast.AST) -> Iterator[ast.AST]:
    """What a node walks through in an order that somebody may see."""
    match node:
        case ast.For() | ast.AsyncFor():
            yield node.iter
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            yield from (generator.iter for generator in node.generators)
        case ast.Starred():
            yield node.value
        case ast.Call(func=ast.Attribute(attr=method)) if method in ORDER_SHOWN_BY_METHODS:
            yield from node.args
        case ast.Call() if called_name(node) in ORDER_SHOWN_BY:
            yield from node.args
        case ast.Call(keywords=[ast.keyword(arg="key"), *_]) if called_name(node) in {"min", "max"}:
            yield from node.args  # the first of equals wins


def unordered_walks(module: Module) -> Iterator[Finding]:
    if not lies_in(module.path, DECISION_PATH):
        return
    calls = [node for node in module.nodes if isinstance(node, ast.Call)]
    forgiven = {id(argument) for call in calls if called_name(call) in ORDER_FORGOTTEN_BY for argument in call.args}
    known = local_sets(module.tree) | set_fields((*house_modules(), module))
    for scope in (module.tree, *module.functions()):
        names = known | local_sets(scope)
        for node in own_nodes(scope):
            for walked in walks(node):
                if id(node) not in forgiven and is_set(walked, names):
                    yield module.finding(walked, f"walks through a set without sorted(): {ast.unparse(walked)}")


CAUGHT = (
    "for side in {'buy', 'sell'}:\n    print(side)",
    "names = [name for name in set(orders)]",
    "names = list(set(orders) - done)",
    "def f(open_ids: frozenset[str]) -> list[str]:\n    return [i for i in open_ids]",
    "def f() -> None:\n    seen: set[str] = set()\n    for one in seen:\n        print(one)",
    "def f() -> None:\n    seen = set(orders)\n    total = sum(seen)",
    "GATES = {'a', 'b'}\ndef f() -> str:\n    return ','.join(GATES)",
    "class State:\n    odd_ids: frozenset[str]\ndef f(state: State) -> list[str]:\n    return list(state.odd_ids)",
    "class Book:\n    def f(self) -> None:\n        self.odd: set[int] = set()\n        print(*self.odd)",
    "row = [*{1, 2}]",
    "best = max({'a', 'b'}, key=len)",
    "for one in set(a).union(b):\n    print(one)",
)
LET_PASS = (
    "for side in sorted({'buy', 'sell'}):\n    print(side)",
    "known = 'a' in {'a', 'b'}",
    "ok = all(name in names for name in {'a', 'b'})",
    "both = {name.lower() for name in set(orders)}",
    "best = max({1, 2})",
    "def f() -> None:\n    seen = set(orders)\n\n\ndef g(seen: list[str]) -> list[str]:\n    return list(seen)",
    "for name in {'a': 1}:\n    print(name)",
)


def test_the_decision_path_never_walks_through_a_set() -> None:
    assert_tidy(unordered_walks, house_modules())


@pytest.mark.parametrize("text", CAUGHT)
def test_a_walk_through_a_set_is_caught(text: str) -> None:
    assert breaches(unordered_walks, (snippet(text),))


@pytest.mark.parametrize("text", LET_PASS)
def test_an_ordered_walk_passes(text: str) -> None:
    assert not breaches(unordered_walks, (snippet(text),))


def test_outside_the_decision_path_sets_are_free() -> None:
    assert not breaches(unordered_walks, (snippet(CAUGHT[0], "ops/health.py"),))
