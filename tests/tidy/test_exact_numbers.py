"""Money, prices and quantities are exact: no float under an exact name, none at all on the order path."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.tidy.source import Finding, Module, Rule, assert_tidy, breaches, house_modules, lies_in, snippet

EXACT_NAME = re.compile(r"(^|_)(price|quantity|amount|cash|equity|fee|fees|notional)$", re.IGNORECASE)
NO_FLOAT_CALLS = (
    "domain/*",
    "venue/*",
    "agents/aria/*",
    "agents/compliance/*",
    "agents/circuit_breaker/*",
    "agents/execution/*",
    "agents/human_behavior/*",
)


def name_of(target: ast.AST) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case _:
            return ""


def mentions_float(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return re.search(r"\bfloat\b", annotation.value) is not None
    return any(isinstance(node, ast.Name) and node.id == "float" for node in ast.walk(annotation))


def is_float_value(value: ast.AST | None) -> bool:
    if isinstance(value, ast.UnaryOp):
        return is_float_value(value.operand)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "float"
    return isinstance(value, ast.Constant) and isinstance(value.value, float)


def floating(node: ast.AST) -> Iterator[ast.AST]:
    """The named things that a node makes a float of."""
    match node:
        case ast.AnnAssign(target=target, annotation=annotation) if mentions_float(annotation):
            yield target
        case ast.arg(annotation=annotation) if mentions_float(annotation):
            yield node
        case ast.FunctionDef(returns=returns) | ast.AsyncFunctionDef(returns=returns) if mentions_float(returns):
            yield node
        case ast.Assign(targets=targets, value=value) if is_float_value(value):
            yield from targets
        case ast.keyword(value=value) if is_float_value(value):
            yield node


def floats_under_exact_names(module: Module) -> Iterator[Finding]:
    for node in module.nodes:
        for named in floating(node):
            if EXACT_NAME.search(name_of(named)):
                yield module.finding(named, f"{name_of(named)} is exact: Decimal, or integer ticks and lots, not float")


def float_calls(module: Module) -> Iterator[Finding]:
    if not lies_in(module.path, NO_FLOAT_CALLS):
        return
    for call, name in module.calls():
        if name == "builtins.float":
            yield module.finding(call, f"no floats here: {ast.unparse(call)}")


CAUGHT = (
    "price: float = 1",
    "class Fill:\n    fill_price: float | None",
    "def buy(quantity: float) -> None: ...",
    "def buy(*, fees: 'list[float]') -> None: ...",
    "def mid_price(bid: int) -> float: ...",
    "self.cash = float(x)",
    "MAX_NOTIONAL = 1e6",
    "order = Order(price=-1.5)",
)
LET_PASS = (
    "price: Decimal",
    "price_ratio: float",
    "equity_fraction: float = 0.5",
    "coffee: float",
    "def volatility(equity: Sequence[Decimal]) -> float: ...",
    "kind: dict[str, int] = {}",
)


@pytest.mark.parametrize("rule", [floats_under_exact_names, float_calls])
def test_the_house_counts_money_exactly(rule: Rule) -> None:
    assert_tidy(rule, house_modules())


@pytest.mark.parametrize("text", CAUGHT)
def test_a_float_under_an_exact_name_is_caught(text: str) -> None:
    assert breaches(floats_under_exact_names, (snippet(text, "market/bar.py"),))


@pytest.mark.parametrize("text", LET_PASS)
def test_exact_types_and_analytic_floats_pass(text: str) -> None:
    assert not breaches(floats_under_exact_names, (snippet(text, "market/bar.py"),))


@pytest.mark.parametrize("path", ["domain/money.py", "agents/aria/sizing.py", "venue/matching.py"])
def test_a_float_call_on_the_order_path_is_caught(path: str) -> None:
    assert breaches(float_calls, (snippet("half = float('0.5')", path),))


def test_analytics_may_call_float() -> None:
    assert not breaches(float_calls, (snippet("half = float('0.5')", "agents/wyckoff/phases.py"),))
