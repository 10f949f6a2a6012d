"""Configuration: YAML in layers, checked against the structs that use it, every mistake told at once.

Layers, each over the one before: the package's defaults; the files of a directory, each of which replaces the default
file of its name whole, so that a limit left out is an error and never silently inherited; environment variables
`TMT__SECTION__KEY=value` and the flags, which are shorter names for single keys; overrides "section.key=value".
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect as types_of

from tmt.config import source
from tmt.config.binding import Binder
from tmt.config.flags import Flag
from tmt.config.source import Entries, Node, Place, Problem, Unreadable, did_you_mean
from tmt.errors import ConfigError

ENVIRONMENT_PREFIX: Final = "TMT__"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One key: its value as text, the layer and place that set it, and what it means."""

    key: str
    value: str
    layer: str
    where: str
    doc: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Configuration that is valid.

    Attributes:
        sections: section name -> its struct, list, or (for a folder) dict of structs.
        origins: dotted key, such as "aria.risk_fraction" or "accounts.0.deposit" -> the place that set it.
        hash: BLAKE2b of the canonical JSON of all sections that decide, 32 hexadecimal digits.
    """

    sections: dict[str, Any]
    origins: dict[str, Place]
    hash: str
    _docs: dict[str, str]

    def explain(self, key: str) -> Explanation:
        """What `key` is, where it was set and what it means.

        Raises:
            ConfigError: when there is no such key.
        """
        place = self.origins.get(key)
        if place is None:
            raise ConfigError(
                "TMT-C009",
                f"there is no key '{key}'",
                fix=did_you_mean(key, self.origins if "." in key else self.sections),
            )
        value: Any = self.sections
        for word in key.split("."):
            value = _part(value, word)
        text = str(value) if isinstance(value, str | Decimal) else msgspec.json.encode(value).decode()
        return Explanation(key, text, place.layer, str(place), self._docs.get(key, ""))


def load(
    types: Mapping[str, Any],
    *,
    directory: Path | None,
    environment: Mapping[str, str],
    overrides: Sequence[str] = (),
    defaults: Traversable | None = None,
    services: Collection[str] = (),
    flags: Mapping[str, Flag] | None = None,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Loaded:
    """Read, merge and check the configuration.

    Args:
        types: section name -> struct type; a list or tuple type for a file with the single key of its own name; a dict
            type for a folder of that name, one value a file.
        directory: the user's files, or None.
        environment: variables, of which only those that begin with TMT__ and the flags count.
        overrides: texts "section.key=value"; the value is YAML.
        defaults: the packaged files, for tests.
        flags: environment variable -> the key it sets; a variable TMT__ for the same key wins.
        services: sections that say where and how the desk runs, not what it decides; the hash leaves them out.
        complete: what one section takes from another, filled in once all are valid; raises ConfigError.

    Raises:
        ConfigError: with every mistake found in `problems`.
    """
    packaged = importlib.resources.files("tmt") / "defaults" if defaults is None else defaults
    problems: list[Problem] = []
    trees = _read_files(types, packaged, directory, problems)
    _apply(trees, types, _assignments(environment, flags or {}, overrides, problems), problems)
    binder = Binder(problems)
    sections: dict[str, Any] = {}
    for name, wanted in types.items():
        if name in trees:
            sections[name] = binder.section(name, types_of.type_info(wanted), trees[name])
        elif not any(problem.place is not None and _stem(problem.place) == name for problem in problems):
            problems.append(Problem("TMT-C008", None, f"there is no {name}.yml", "the package should hold one"))
    if problems:
        raise _refusal(problems, directory)
    sections = complete(sections)
    deciding = {name: section for name, section in sections.items() if name not in services}
    digest = blake2b(msgspec.json.encode(deciding, order="sorted"), digest_size=16).hexdigest()
    return Loaded(sections, binder.origins, digest, binder.docs)


def _refusal(problems: list[Problem], directory: Path | None) -> ConfigError:
    count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return ConfigError(
        problems[0].code if len(problems) == 1 else "TMT-C001",
        f"the configuration has {count}",
        where=str(directory) if directory is not None else "",
        fix="`tmt config explain KEY` says what a key means; mend the places above and try again",
        problems=tuple(str(problem) for problem in problems),
    )


def _stem(place: Place) -> str:
    return Path(place.source).stem if place.layer in {"default", "directory"} else ""


def _read_files(
    types: Mapping[str, Any], packaged: Traversable, directory: Path | None, problems: list[Problem]
) -> dict[str, Entries]:
    trees: dict[str, Entries] = {}
    folders = {name for name, wanted in types.items() if isinstance(types_of.type_info(wanted), types_of.DictType)}
    if directory is not None and not directory.is_dir():
        problems.append(Problem("TMT-C004", None, f"there is no folder {directory}", "name a folder with --config"))
        directory = None
    for layer, folder in (("default", packaged), ("directory", directory)):
        if folder is None:
            continue
        if layer == "directory":
            _refuse_unknown_files(folder, types, folders, problems)
        for name in types:
            if name in folders:
                found = folder / name
                files = sorted(found.iterdir(), key=lambda file: file.name) if found.is_dir() else []
                for file in files:
                    if file.name.endswith(".yml"):
                        group = trees.setdefault(name, Entries(Place(layer, str(found))))
                        tree = _read(file, layer, problems)
                        if tree is not None:
                            group.put(file.name.removesuffix(".yml"), tree.place, tree)
            elif (file := folder / f"{name}.yml").is_file():
                tree = _read(file, layer, problems)
                if isinstance(tree, Entries):
                    trees[name] = tree
                elif tree is not None:
                    problems.append(Problem("TMT-C006", tree.place, f"{name}.yml must hold keys and values"))
    return trees


def _read(file: Traversable, layer: str, problems: list[Problem]) -> Node | None:
    place = Place(layer, str(file) if layer == "directory" else f"defaults/{file.name}")
    try:
        raw = file.read_bytes()
    except OSError as error:
        problems.append(Problem("TMT-C004", place, f"cannot be read: {error.strerror}"))
        return None
    if len(raw) > source.BYTES_MAX:
        what = f"has {len(raw)} bytes, at most {source.BYTES_MAX} are read"
        problems.append(Problem("TMT-C004", place, what))
        return None
    try:
        return source.parse(raw.decode(), layer, place.source)
    except UnicodeDecodeError as error:
        problems.append(Problem("TMT-C002", place, f"is not UTF-8 text: {error.reason} at byte {error.start}"))
    except Unreadable as error:
        problems.append(error.problem)
    return None


def _refuse_unknown_files(
    folder: Traversable, types: Mapping[str, Any], folders: set[str], problems: list[Problem]
) -> None:
    known = [name if name in folders else f"{name}.yml" for name in types]
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        expected = file.name in known and (file.name in folders) == file.is_dir()
        if not (expected or file.name.startswith(".") or file.name.endswith(".md")):
            place = Place("directory", str(file))
            problems.append(Problem("TMT-C004", place, "is no file that is known", did_you_mean(file.name, known)))


def _assignments(
    environment: Mapping[str, str], flags: Mapping[str, Flag], overrides: Sequence[str], problems: list[Problem]
) -> list[tuple[tuple[str, ...], str, Place]]:
    found: list[tuple[tuple[str, ...], str, Place]] = []
    for name, flag in sorted(flags.items()):
        if (text := environment.get(name)) is not None:
            place = Place("environment", name)
            try:
                found.append((tuple(flag.key.split(".")), flag.value(text), place))
            except ValueError as error:
                problems.append(Problem("TMT-C010", place, str(error), f"it sets {flag.key}; write {flag.form}"))
    found += [
        (tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")), value, Place("environment", name))
        for name, value in sorted(environment.items())
        if name.startswith(ENVIRONMENT_PREFIX)
    ]
    for override in overrides:
        name, equals, value = override.partition("=")
        place = Place("override", override)
        if equals and name:
            found.append((tuple(name.strip().split(".")), value.strip(), place))
        else:
            problems.append(Problem("TMT-C009", place, "is no override", "write section.key=value"))
    return found


def _apply(
    trees: dict[str, Entries],
    types: Mapping[str, Any],
    assignments: list[tuple[tuple[str, ...], str, Place]],
    problems: list[Problem],
) -> None:
    for (section, *path), text, place in assignments:
        if section not in types:
            problems.append(
                Problem("TMT-C009", place, f"there is no section '{section}'", did_you_mean(section, types))
            )
            continue
        if section not in trees:
            continue
        root = isinstance(types_of.type_info(types[section]), types_of.VarTupleType | types_of.ListType)
        full = (section, *path) if root else tuple(path)
        try:
            node = source.parse_value(text, place)
            if not full:
                raise Unreadable(Problem("TMT-C009", place, "names no key", "write section.key=value"))
            source.set_value(trees[section], full, node, place)
        except Unreadable as error:
            problems.append(error.problem)


def _part(value: Any, word: str) -> Any:
    if isinstance(value, Mapping):
        return next(item for key, item in value.items() if str(getattr(key, "value", key)) == word)
    return value[int(word)] if isinstance(value, list | tuple) else getattr(value, word)
