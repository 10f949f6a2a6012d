"""Small things in plain sight: lengths, telling names, docstrings, nothing left undone."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.tidy.source import Finding, Module, assert_tidy, breaches, house_modules, snippet

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
VAGUE_NAME = re.compile(r"(^|_)(utils?|helpers?|managers?|base|common|misc)$")
LEFT_UNDONE = re.compile(r"\b(TODO|FIXME|XXX)\b")


def long_modules(module: Module) -> Iterator[Finding]:
    if module.line_count > MODULE_LINES_MAX:
        yield module.finding(1, f"{module.line_count} lines, at most {MODULE_LINES_MAX}")


def long_functions(module: Module) -> Iterator[Finding]:
    for function in module.functions():
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield module.finding(function, f"{function.name} has {lines} lines, at most {FUNCTION_LINES_MAX}")


def vague_names(module: Module) -> Iterator[Finding]:
    for part in module.name.split("."):
        if VAGUE_NAME.search(part):
            yield module.finding(1, f"{part} says nothing of what is in it")


def undocumented_modules(module: Module) -> Iterator[Finding]:
    if not ast.get_docstring(module.tree):
        yield module.finding(1, "a module's first line says what is in it")


def left_undone(module: Module) -> Iterator[Finding]:
    for line, text in module.comments():
        if LEFT_UNDONE.search(text):
            yield module.finding(line, f"left undone: {text.strip().splitlines()[0]}")


RULES = {rule.__name__: rule for rule in (long_modules, long_functions, vague_names, undocumented_modules, left_undone)}

CAUGHT = (
    ("long_modules", "domain/order.py", '"""."""\n' * 401),
    ("long_functions", "domain/order.py", "def f():\n" + "    pass\n" * 50),
    ("long_functions", "domain/order.py", "class A:\n    async def f(self):\n" + "        pass\n" * 50),
    ("vague_names", "domain/utils.py", ""),
    ("vague_names", "common/order.py", ""),
    ("vague_names", "venue/order_manager.py", ""),
    ("undocumented_modules", "domain/__init__.py", "x = 1"),
    ("left_undone", "domain/order.py", "x = 1  # TODO: more"),
    ("left_undone", "domain/order.py", 'def f():\n    """FIXME."""'),
)
LET_PASS = (
    ("domain/order.py", '"""."""\n' + "def f():\n" + "    pass\n" * 49),
    ("domain/database.py", '"""Data."""\nno_currency = "XXX"'),
)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_is_small_named_and_finished(rule: str) -> None:
    assert_tidy(RULES[rule], house_modules())


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT)
def test_an_untidy_module_is_caught(rule: str, path: str, text: str) -> None:
    assert breaches(RULES[rule], (snippet(text, path),))


@pytest.mark.parametrize(("path", "text"), LET_PASS)
def test_a_tidy_module_passes(path: str, text: str) -> None:
    assert not "".join(breaches(rule, (snippet(text, path),)) for rule in RULES.values())
