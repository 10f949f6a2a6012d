"""From the tree of a file to the values of the structs that use it, every mistake noted."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import inspect as types_of

from tmt.config.source import Entries, Items, Node, Place, Problem, Scalar, did_you_mean
from tmt.domain import money

BAD: Final = object()
"""Stands for a value that could not be made; its problem has been noted."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_NULLS: Final = ("null", "~", "")


class Binder:
    """Makes values of the wanted types from trees, and notes every mistake instead of stopping at the first.

    Attributes:
        problems: mistakes found so far.
        origins: dotted key -> the place that set it.
        docs: dotted key -> what it means.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.origins: dict[str, Place] = {}
        self.docs: dict[str, str] = {}

    def section(self, name: str, wanted: types_of.Type, tree: Entries) -> Any:
        """The value of one section; BAD, with problems noted, when it cannot be made."""
        if isinstance(wanted, types_of.VarTupleType | types_of.ListType):
            extra = [key for key in tree.nodes if key != name]
            for key in extra:
                self._problem("TMT-C005", tree.keys[key], f"unknown key '{key}'", f"the only key here is '{name}'")
            if name not in tree.nodes:
                self._problem("TMT-C007", tree.place, f"the key '{name}' is missing")
                return BAD
            return self.value(name, wanted, tree.nodes[name])
        return self.value(name, wanted, tree)

    def value(self, key: str, wanted: types_of.Type, node: Node) -> Any:
        """The value of the part of a section that `key` names."""
        self.origins[key] = node.place
        match wanted:
            case types_of.Metadata(type=inner):
                return self.value(key, inner, node)
            case types_of.StructType():
                return self._struct(key, wanted, node)
            case types_of.UnionType():
                return self._union(key, wanted, node)
            case types_of.ListType() | types_of.VarTupleType():
                return self._items(key, wanted, node)
            case types_of.DictType():
                return self._dict(key, wanted, node)
            case _ if isinstance(node, Scalar):
                return self._scalar(key, wanted, node)
            case _:
                return self._wrong(key, _kind(wanted), node)

    def _struct(self, key: str, wanted: types_of.StructType, node: Node) -> Any:
        if not isinstance(node, Entries):
            return self._wrong(key, "keys and values", node)
        known = {field.encode_name: field for field in wanted.fields}
        docs = _attribute_docs(wanted.cls)
        values: dict[str, Any] = {}
        for name in node.nodes:
            if name == wanted.tag_field:
                continue
            if name not in known:
                fix = did_you_mean(name, known)
                self._problem("TMT-C005", node.keys[name], f"unknown key '{name}' in {key}", fix)
                continue
            self.docs[f"{key}.{name}"] = docs.get(name) or node.keys[name].comment
            values[known[name].name] = self._part(f"{key}.{name}", known[name].type, node, name)
        for name, field in known.items():
            if field.required and name not in node.nodes:
                self._problem("TMT-C007", node.place, f"the key '{name}' of {key} is missing", docs.get(name, ""))
                values[field.name] = BAD
        self.docs[key] = self.docs.get(key) or inspect.cleandoc(wanted.cls.__doc__ or "").split("\n", 1)[0]
        if any(value is BAD for value in values.values()):
            return BAD
        try:
            return wanted.cls(**values)
        except ValueError as error:
            self._problem("TMT-C006", _blamed(str(error), node), f"{key}: {error}", self._meaning(str(error), docs))
            return BAD

    def _union(self, key: str, wanted: types_of.UnionType, node: Node) -> Any:
        null = isinstance(node, Scalar) and node.plain and node.text in _NULLS
        kinds = [kind for kind in wanted.types if isinstance(kind, types_of.NoneType) == null]
        if null and kinds:
            return None
        tagged = {kind.tag: kind for kind in kinds if isinstance(kind, types_of.StructType) and kind.tag is not None}
        if tagged and isinstance(node, Entries):
            tag_field = str(next(iter(tagged.values())).tag_field)
            tag = node.nodes.get(tag_field)
            if not isinstance(tag, Scalar):
                self._problem("TMT-C007", node.place, f"the key '{tag_field}' of {key} is missing")
                return BAD
            chosen = tagged.get(tag.text)
            if chosen is None:
                fix = did_you_mean(tag.text, map(str, tagged))
                self._problem("TMT-C006", tag.place, f"{key}.{tag_field} is '{tag.text}', which is not known", fix)
                return BAD
            return self._struct(key, chosen, node)
        for index, kind in enumerate(kinds or wanted.types):
            mark = len(self.problems)
            value = self.value(key, kind, node)
            if len(self.problems) == mark or index == len(kinds) - 1:
                return value
            del self.problems[mark:]
        return self._wrong(key, _kind(wanted), node)

    def _items(self, key: str, wanted: types_of.ListType | types_of.VarTupleType, node: Node) -> Any:
        if not isinstance(node, Items):
            return self._wrong(key, "a list", node)
        values = [self.value(f"{key}.{index}", wanted.item_type, child) for index, child in enumerate(node.nodes)]
        if any(value is BAD for value in values):
            return BAD
        return tuple(values) if isinstance(wanted, types_of.VarTupleType) else values

    def _dict(self, key: str, wanted: types_of.DictType, node: Node) -> Any:
        if not isinstance(node, Entries):
            return self._wrong(key, "keys and values", node)
        values: dict[Any, Any] = {}
        for name in node.nodes:
            word = self._scalar(f"{key}.{name}", wanted.key_type, Scalar(node.keys[name], name, plain=True))
            self.docs[f"{key}.{name}"] = node.keys[name].comment
            values[word] = self._part(f"{key}.{name}", wanted.value_type, node, name)
        return BAD if BAD in values or any(value is BAD for value in values.values()) else values

    def _part(self, key: str, wanted: types_of.Type, parent: Entries, name: str) -> Any:
        node = parent.nodes[name]
        value = self.value(key, wanted, node)
        if not isinstance(node, Scalar):
            self.origins[key] = parent.keys[name]
        return value

    def _scalar(self, key: str, wanted: types_of.Type, node: Scalar) -> Any:
        text = node.text
        match wanted:
            case types_of.StrType() | types_of.AnyType():
                return text
            case types_of.BoolType() if node.plain and text in _BOOLEANS:
                return _BOOLEANS[text]
            case types_of.IntType() if node.plain and _INTEGER.fullmatch(text):
                return int(text)
            case types_of.EnumType(cls=kind):
                named = {str(member.value): member for member in kind}
                return named[text] if text in named else self._not_one_of(key, node, named)
            case types_of.LiteralType(values=literals):
                words = {str(literal): literal for literal in literals}
                return words[text] if text in words else self._not_one_of(key, node, words)
            case types_of.DecimalType() | types_of.CustomType(cls=money.Exact) | types_of.FloatType() if node.plain:
                try:
                    number = money.exact(text)
                except ValueError as error:
                    self._problem("TMT-C006", node.place, f"{key}: {error}", "write a plain number such as 0.05")
                    return BAD
                return float(number) if isinstance(wanted, types_of.FloatType) else number
            case _:
                return self._wrong(key, _kind(wanted), node)

    def _not_one_of(self, key: str, node: Scalar, known: Mapping[str, Any]) -> Any:
        fix = did_you_mean(node.text, known)
        self._problem("TMT-C006", node.place, f"{key} must be one of {', '.join(known)}, was {node.text!r}", fix)
        return BAD

    def _wrong(self, key: str, kind: str, node: Node) -> Any:
        was = {Items: "a list", Entries: "keys and values"}.get(type(node))
        was = was or (repr(node.text) if isinstance(node, Scalar) else "")
        self._problem("TMT-C006", node.place, f"{key} must be {kind}, was {was}")
        return BAD

    def _meaning(self, message: str, docs: Mapping[str, str]) -> str:
        word = message.split(" ", 1)[0]
        return f"{word}: {docs[word]}" if word in docs else ""

    def _problem(self, code: str, place: Place, what: str, fix: str = "") -> None:
        self.problems.append(Problem(code, place, what, fix))


def _blamed(message: str, node: Entries) -> Place:
    # Checks name the field first by convention; else the struct as a whole is to blame.
    child = node.nodes.get(message.split(" ", 1)[0])
    return node.place if child is None else child.place


def _kind(wanted: types_of.Type) -> str:
    match wanted:
        case types_of.BoolType():
            return "true or false"
        case types_of.IntType():
            return "a whole number"
        case types_of.DecimalType() | types_of.CustomType() | types_of.FloatType():
            return "a plain number, without quotes"
        case types_of.StructType() | types_of.DictType():
            return "keys and values"
        case types_of.UnionType(types=kinds):
            return " or ".join(sorted({_kind(kind) for kind in kinds}))
        case types_of.NoneType():
            return "null"
        case _:
            return "a list" if isinstance(wanted, types_of.ListType | types_of.VarTupleType) else "a word"


def _attribute_docs(kind: type) -> dict[str, str]:
    """Attribute -> its text in the docstring's Attributes section, those of base classes included."""
    docs: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        _, _, listed = inspect.cleandoc(owner.__doc__ or "").partition("Attributes:\n")
        names: list[str] = []
        for line in listed.splitlines():
            entry = re.fullmatch(r" {2,4}(\w[\w, ]*): (.*)", line)
            if entry is not None:
                names = entry[1].replace(",", " ").split()
                docs |= dict.fromkeys(names, entry[2])
            elif line.startswith("     ") and names:
                docs |= dict.fromkeys(names, f"{docs[names[0]]} {line.strip()}")
    return docs
