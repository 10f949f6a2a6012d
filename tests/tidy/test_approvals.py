"""An approval is a type with an owner, a wish to close has two: nobody else makes one."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import Finding, Module, assert_tidy, breaches, house_modules, snippet

OWNERS = {
    "SignalRaised": ("wyckoff",),
    "ExitRaised": ("aria", "compliance"),
    "OrderSized": ("aria",),
    "ConcentrationApproved": ("anti_correlation",),
    "BehaviourApproved": ("human_behavior",),
    "ComplianceApproved": ("compliance",),
    "OrderReleased": ("circuit_breaker",),
    "OrderSubmitted": ("execution",),
}
CONSTRUCTORS = {"root", "caused_by"}


def made_in(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Every approval that a module makes: `OrderReleased(...)` or `OrderReleased.caused_by(...)`."""
    for call, name in module.calls():
        *before, last = name.split(".")
        if last in OWNERS:
            yield call, last
        elif last in CONSTRUCTORS and before and before[-1] in OWNERS:
            yield call, before[-1]


def approvals_outside_their_gate(module: Module) -> Iterator[Finding]:
    for call, approval in made_in(module):
        rooms = tuple(f"agents/{owner}/" for owner in OWNERS[approval])
        if not module.path.startswith(rooms):
            yield module.finding(call, f"{approval} is made only in {', '.join(rooms)}")


CAUGHT = (
    ("agents/aria/agent.py", "from tmt.messages import OrderReleased\nx = OrderReleased(header=h)"),
    ("gateway/orders.py", "from tmt import messages\nx = messages.OrderSized(header=h)"),
    ("runner.py", "from tmt.messages import OrderReleased as Pass\nx = Pass()"),
    ("venue/book.py", "from tmt.messages import OrderSubmitted\nx = OrderSubmitted.caused_by(m, order=o)"),
    ("adapters/bus/kafka.py", "import tmt.messages\nx = tmt.messages.SignalRaised.caused_by(m)"),
)
LET_PASS = (
    ("agents/circuit_breaker/agent.py", "from tmt.messages import OrderReleased\nx = OrderReleased.caused_by(m)"),
    ("agents/execution/agent.py", "def handle(m: OrderReleased):\n    match m:\n        case OrderReleased(): ..."),
    ("topology.py", "from tmt.messages import OrderReleased\nproduces = (OrderReleased,)"),
)


def test_every_approval_is_made_in_its_gate_alone() -> None:
    assert_tidy(approvals_outside_their_gate, house_modules())


def classes_of_messages() -> dict[str, ast.ClassDef]:
    messages = [module for module in house_modules() if module.path.startswith("messages/")]
    return {node.name: node for module in messages for node in module.nodes if isinstance(node, ast.ClassDef)}


def test_every_constructor_of_messages_is_watched() -> None:
    functions = [node for node in classes_of_messages()["Message"].body if isinstance(node, ast.FunctionDef)]
    assert {node.name for node in functions if node.returns and ast.unparse(node.returns) == "Self"} == CONSTRUCTORS


@pytest.mark.parametrize("approval", OWNERS)
def test_the_approval_exists_and_its_owner_is_seen_making_it(approval: str) -> None:
    assert approval in classes_of_messages()
    assert any(made == approval for module in house_modules() for _, made in made_in(module))


@pytest.mark.parametrize(("path", "text"), CAUGHT)
def test_an_approval_made_elsewhere_is_caught(path: str, text: str) -> None:
    assert breaches(approvals_outside_their_gate, (snippet(text, path),))


@pytest.mark.parametrize(("path", "text"), LET_PASS)
def test_the_owner_and_those_who_only_read_pass(path: str, text: str) -> None:
    assert not breaches(approvals_outside_their_gate, (snippet(text, path),))
