"""The tests' own manners: one docstring, on the first line of the file, and no waiting by the clock."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy.source import TESTS, Finding, Module, assert_tidy, breaches, modules_under, snippet


def missing_first_line(module: Module) -> Iterator[Finding]:
    first = module.tree.body[0] if module.tree.body else None
    if first is None or first.lineno != 1 or not ast.get_docstring(module.tree):
        yield module.finding(1, "the first line of a test file says what it asks")


def docstrings_of_tests(module: Module) -> Iterator[Finding]:
    for function in module.functions() if module.path.split("/")[-1].startswith("test_") else ():
        if function.name.startswith("test_") and ast.get_docstring(function):
            yield module.finding(function, "a test's name says it all: no docstring")


def sleeping(module: Module) -> Iterator[Finding]:
    for node, name in module.references():
        if name == "time.sleep":
            yield module.finding(node, "wait for what is expected, not for time to pass")


RULES = {rule.__name__: rule for rule in (missing_first_line, docstrings_of_tests, sleeping)}

CAUGHT = (
    ("missing_first_line", "import os"),
    ("missing_first_line", "# A comment.\n" + '"""Too late."""'),
    ("docstrings_of_tests", 'def test_a() -> None:\n    """Tests a."""'),
    ("sleeping", "from time import sleep\nsleep(1)"),
    ("sleeping", "import time\ntime.sleep(1)"),
)


@pytest.mark.parametrize("rule", RULES)
def test_tests_are_tidy(rule: str) -> None:
    modules = modules_under(TESTS)
    assert any(module.path == "tidy/test_tests.py" for module in modules)
    assert_tidy(RULES[rule], modules)


@pytest.mark.parametrize(("rule", "text"), CAUGHT)
def test_an_untidy_test_is_caught(rule: str, text: str) -> None:
    assert breaches(RULES[rule], (snippet(text, "unit/test_order.py"),))
