"""Mutation testing of the gates: how many small changes of their decisions do their own tests notice?

    python -m tools.mutation [GATE...] [--survivors]

Each gate's decision modules (all but config.py, agent.py and __init__.py) are mutated by mutmut in a copy of the tree,
and the gate's unit tests are run against each mutant. A mutant that changes nothing but the words of an explanation
(a string, or a `detail`) is counted apart. Results go to benchmarks/results/mutation.json and .md; what these hold of
the gates that are not named stays.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.report import Report

ROOT: Final = Path(__file__).parent.parent
GATES: Final = ("aria", "anti_correlation", "human_behavior", "compliance", "circuit_breaker", "execution", "verdict")
"""Packages of `tmt.agents`, and the module in which they all write their checks."""

NOT_MUTATED: Final = ("__init__.py", "agent.py", "config.py")
UNTESTED: Final = (5, 33)
"""Exit codes of mutmut for a mutant that no test reaches."""

KEPT: Final = ROOT / "benchmarks" / "results" / "mutation.json"
_CONTEXT: Final = 60
_MUTANT: Final = re.compile(r"(?P<function>.+)__mutmut_(?P<number>\d+|orig)")


class Tally(NamedTuple):
    """Mutants of one kind in one module."""

    killed: int
    mutants: int

    @property
    def score(self) -> float:
        """Share that a test noticed; 1 when there is nothing to notice."""
        return self.killed / self.mutants if self.mutants else 1.0


class Survivor(NamedTuple):
    """A mutant that no test noticed. `change` is what became of what, with a little around it."""

    module: str
    name: str
    change: str


def main(arguments: list[str]) -> int:
    """Mutate the gates named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"some of {', '.join(GATES)}")
    parser.add_argument("--survivors", action="store_true", help="print every survivor; write no results")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.gates) - set(GATES))
    if unknown:
        parser.error(f"no gate {unknown[0]!r}; there are {', '.join(GATES)}")
    lines: list[dict[str, Any]] = []
    survivors: list[Survivor] = []
    for gate in chosen.gates or GATES:
        print(f"mutating {gate}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            tree = _copy(Path(folder), gate)
            _run(tree)
            for module in _modules(gate):
                decisions, words, alive = _read(tree / "mutants" / module, module.name, gate)
                survivors += alive
                if decisions.mutants or words.mutants:
                    lines.append(_line(gate, module.stem, decisions, words))
    for survivor in survivors if chosen.survivors else ():
        print(f"{survivor.module} {survivor.name}\n  {survivor.change}")
    if not chosen.survivors:
        _report(tuple(chosen.gates) or GATES, lines, [survivor._asdict() for survivor in survivors])
    return 0


def _modules(gate: str) -> list[Path]:
    place = ROOT / "src" / "tmt" / "agents" / gate
    found = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return [path.relative_to(ROOT) for path in found if not _is_left_out(path.name)]


def _tests(gate: str) -> str:
    place = ROOT / "tests" / "unit" / "agents" / gate
    found = place if place.is_dir() else place.with_name(f"test_{gate}.py")
    return str(found.relative_to(ROOT))


def _is_left_out(name: str) -> bool:
    return name in NOT_MUTATED or name.endswith("_config.py")


def _copy(folder: Path, gate: str) -> Path:
    tree = folder / "tree"
    tree.mkdir()
    for name in ("src", "tests", "tools", "benchmarks", "docs"):
        ignored = shutil.ignore_patterns("__pycache__", "results", ".peers")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    mutated = ", ".join(f'"{path}"' for path in _modules(gate))
    settings = f"""
[tool.mutmut]
source_paths = ["src/tmt/agents/"]
only_mutate = [{mutated}]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:randomly"]
pytest_add_cli_args_test_selection = ["{_tests(gate)}"]
also_copy = ["src/", "tests/", "tools/", "benchmarks/", "docs/"]
use_git_change_detection = false
"""
    (tree / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + settings)
    return tree


def _run(tree: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)]
    with (tree / "mutmut.log").open("w") as log:
        done = subprocess.run(command, cwd=tree, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        text = (tree / "mutmut.log").read_text()
        raise SystemExit(f"mutmut failed with {done.returncode}:\n{text[-3000:]}")


def _read(mutated: Path, module: str, gate: str) -> tuple[Tally, Tally, list[Survivor]]:
    """Decisions, words, and what survived among the decisions."""
    if not mutated.exists():
        return Tally(0, 0), Tally(0, 0), []
    outcomes: dict[str, int | None] = json.loads(mutated.with_name(f"{mutated.name}.meta").read_text())[
        "exit_code_by_key"
    ]
    functions = {node.name: node for node in _functions(ast.parse(mutated.read_text()))}
    counts = {True: [0, 0], False: [0, 0]}
    alive = []
    for key, code in outcomes.items():
        name = key.rpartition(".")[2]
        found = _MUTANT.fullmatch(name)
        assert found is not None, key
        before, after = functions[f"{found['function']}__mutmut_orig"], functions[name]
        is_wording = _worded(before) == _worded(after)
        killed = code not in (None, 0, *UNTESTED)
        counts[is_wording][0] += killed
        counts[is_wording][1] += 1
        if not killed and not is_wording:
            alive.append(Survivor(f"{gate}/{module}", name, _change(before, after)))
    return Tally(*counts[False]), Tally(*counts[True]), alive


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


class _Blind(ast.NodeTransformer):
    """Sees no words: every string, f-string and `detail` is alike."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg == "detail":
            return ast.keyword(node.arg, ast.Constant(""))
        return self.generic_visit(node)


def _worded(function: ast.FunctionDef) -> str:
    copy = ast.parse(ast.unparse(function)).body[0]
    assert isinstance(copy, ast.FunctionDef)
    copy.name = ""
    return ast.dump(_Blind().visit(copy))


def _change(before: ast.FunctionDef, after: ast.FunctionDef) -> str:
    left, right = (ast.unparse(each).splitlines()[1:] for each in (before, after))
    changed = [(a.strip(), b.strip()) for a, b in zip(left, right, strict=False) if a != b]
    return _around(*changed[0]) if changed else "a statement is gone"


def _around(before: str, after: str) -> str:
    """Where two lines differ, with a little of what they share: "price [> -> >=] stop"."""
    start = _shared(before, after)
    end = _shared(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    return f"{before[max(0, start - _CONTEXT) : start]}[{old} -> {new}]{before[len(before) - end :][:_CONTEXT]}"


def _shared(first: str, second: str) -> int:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return sum(1 for _ in pairs)


def _line(gate: str, module: str, decisions: Tally, words: Tally) -> dict[str, Any]:
    return {
        "gate": gate,
        "module": module,
        "decisions killed": decisions.killed,
        "of": decisions.mutants,
        "score": decisions.score,
        "words killed": words.killed,
        "of words": words.mutants,
    }


def _total(lines: list[dict[str, Any]], gate: str = "all") -> dict[str, Any]:
    decisions = Tally(sum(line["decisions killed"] for line in lines), sum(line["of"] for line in lines))
    words = Tally(sum(line["words killed"] for line in lines), sum(line["of words"] for line in lines))
    return _line(gate, "all", decisions, words)


def _report(gates: tuple[str, ...], lines: list[dict[str, Any]], survivors: list[dict[str, Any]]) -> None:
    known = json.loads(KEPT.read_text())["tables"] if KEPT.exists() else {}
    lines += [line for line in known.get("By module", ()) if line["gate"] not in gates]
    survivors += [each for each in known.get("Survivors", ()) if each["module"].partition("/")[0] not in gates]
    lines.sort(key=lambda line: (GATES.index(line["gate"]), line["module"]))
    report = Report("mutation", "Mutation testing of the gates", __doc__.split("\n\n")[2], ("mutmut", "pytest"))
    totals = [_total([line for line in lines if line["gate"] == gate], gate) for gate in GATES]
    report.add("By gate", [*(total for total in totals if total["of"]), _total(lines)])
    report.add("By module", lines)
    if survivors:
        report.add("Survivors", sorted(survivors, key=lambda each: (each["module"], each["name"])))
    report.write()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
