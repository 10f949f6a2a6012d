"""Where configuration comes from: YAML files, environment variables and overrides, as one tree that knows its places.

Scalars stay the text that was written, so that 0.1 never passes through a float.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

BYTES_MAX: Final = 1_000_000
DEPTH_MAX: Final = 32

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key or value was written.

    Attributes:
        layer: "default", "directory", "environment" or "override".
        source: the file, or the variable or override itself.
        line, column: from 1; 0 when the source is no file.
        text: the whole line.
        comment: what the author said about it, on the line or just above.
    """

    layer: str
    source: str
    line: int = 0
    column: int = 0
    text: str = ""
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    def caret(self) -> str:
        """The line with a caret under the place; empty when there is none to show."""
        if not self.line:
            return ""
        return f"\n  {self.line:>4} | {self.text}\n       | {' ' * (self.column - 1)}^"


@dataclass(slots=True)
class Scalar:
    """A value; `plain` when it was written without quotes."""

    place: Place
    text: str
    plain: bool


@dataclass(slots=True)
class Items:
    """A list."""

    place: Place
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entries:
    """A mapping; `keys` says where each key was written."""

    place: Place
    nodes: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)

    def put(self, key: str, place: Place, node: Node) -> None:
        self.nodes[key] = node
        self.keys[key] = place


Node = Scalar | Items | Entries


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration."""

    code: str
    place: Place | None
    what: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place is not None else ""
        caret = self.place.caret() if self.place is not None else ""
        fix = f"\n  {self.fix}" if self.fix else ""
        return f"{self.code} {where}{self.what}{caret}{fix}"


class Unreadable(Exception):
    """A text that is no configuration; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that is nearest, or the words there are."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"there are: {', '.join(names)}" if names else ""


def parse(text: str, layer: str, source: str) -> Node:
    """The tree of one YAML text.

    Raises:
        Unreadable: when it is not YAML, holds several documents, an anchor, a tag, a key twice, or is nested too deep.
    """
    return _Tree(text, layer, source).build()


def parse_value(text: str, place: Place) -> Node:
    """The tree of a value given in an environment variable or an override, all of it placed at `place`."""
    if text == "":
        return Scalar(place, "", plain=False)
    tree = _Tree(text, place.layer, place.source)
    tree.fixed_place = place
    return tree.build()


class _Tree:
    def __init__(self, text: str, layer: str, source: str) -> None:
        self._text = text
        self._lines = text.splitlines()
        self._layer = layer
        self._source = source
        self.fixed_place: Place | None = None

    def build(self) -> Node:
        try:
            return self._build(yaml.parse(self._text, Loader=_LOADER))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = self._at(mark.line, mark.column) if mark is not None else Place(self._layer, self._source)
            what = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise Unreadable(Problem("TMT-C002", place, f"not readable as YAML: {what}")) from error

    def _build(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        stack: list[tuple[Items | Entries, Scalar | None]] = []
        for event in events:
            node: Node
            match event:
                case yaml.ScalarEvent():
                    self._refuse_extras(event)
                    node = Scalar(self._place(event), event.value, bool(event.implicit[0]))
                case yaml.SequenceStartEvent():
                    self._refuse_extras(event)
                    node = Items(self._place(event))
                case yaml.MappingStartEvent():
                    self._refuse_extras(event)
                    node = Entries(self._place(event))
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    stack.pop()
                    continue
                case yaml.AliasEvent():
                    raise self._unreadable(event, "an alias (*name) is not allowed", "write the value out")
                case yaml.DocumentStartEvent() if root is not None:
                    raise self._unreadable(event, "a second document in one file", "keep one document a file")
                case _:
                    continue
            if stack:
                self._hang(stack, node)
            else:
                root = node
            if not isinstance(node, Scalar):
                stack.append((node, None))
            if len(stack) > DEPTH_MAX:
                raise self._unreadable(event, f"nested deeper than {DEPTH_MAX}", "")
        return Entries(Place(self._layer, self._source, 1, 1)) if root is None else root

    def _hang(self, stack: list[tuple[Items | Entries, Scalar | None]], node: Node) -> None:
        parent, key = stack[-1]
        if isinstance(parent, Items):
            parent.nodes.append(node)
            return
        if key is not None:
            parent.put(key.text, key.place, node)
            stack[-1] = (parent, None)
            return
        if not isinstance(node, Scalar):
            raise Unreadable(Problem("TMT-C002", node.place, "a key must be a plain word"))
        if node.text in parent.nodes:
            raise Unreadable(Problem("TMT-C003", node.place, f"the key '{node.text}' is there twice"))
        stack[-1] = (parent, node)

    def _refuse_extras(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            raise self._unreadable(event, "an anchor (&name) is not allowed", "write the value out where it is needed")
        if getattr(event, "tag", None) not in (None, "!"):
            raise self._unreadable(event, f"a tag ({event.tag}) is not allowed", "")  # type: ignore[attr-defined]

    def _unreadable(self, event: yaml.Event, what: str, fix: str) -> Unreadable:
        return Unreadable(Problem("TMT-C002", self._place(event), what, fix))

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return self._at(0, 0) if mark is None else self._at(mark.line, mark.column)

    def _at(self, line: int, column: int) -> Place:
        if self.fixed_place is not None:
            return self.fixed_place
        text = self._lines[line] if line < len(self._lines) else ""
        return Place(self._layer, self._source, line + 1, column + 1, text, self._comment(line))

    def _comment(self, line: int) -> str:
        if line >= len(self._lines):
            return ""
        _, mark, trailing = self._lines[line].partition(" #")
        if mark:
            return trailing.strip()
        above: list[str] = []
        for text in reversed(self._lines[:line]):
            if not text.lstrip().startswith("#"):
                break
            above.insert(0, text.strip().lstrip("#").strip())
        return " ".join(above)


def set_value(root: Entries, path: tuple[str, ...], node: Node, place: Place) -> None:
    """Put `node` at `path`, whose words are matched to existing keys without regard to case.

    Raises:
        Unreadable: when the path leads through a value that has no such part.
    """
    here: Node = root
    for depth, word in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(here, Entries):
            key = next((known for known in here.nodes if known.lower() == word.lower()), word)
            if last:
                here.put(key, place, node)
                return
            if key not in here.nodes:
                here.put(key, place, Entries(place))
            here = here.nodes[key]
        elif isinstance(here, Items) and word.isdigit() and int(word) < len(here.nodes):
            if last:
                here.nodes[int(word)] = node
                return
            here = here.nodes[int(word)]
        else:
            within = ".".join(path[:depth])
            many = f"0 to {len(here.nodes) - 1}" if isinstance(here, Items) else "no parts"
            raise Unreadable(Problem("TMT-C009", place, f"'{within}' has no '{word}'", f"it has {many}"))
