"""`tmt config`, and the configuration that every command loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tmt.cli.folders import Chosen
from tmt.cli.results import ConfigChecked, ConfigShown, KeyExplained
from tmt.cli.terminal import Terminal, table
from tmt.config import Loaded
from tmt.config.source import did_you_mean
from tmt.errors import ConfigError


def load_settings(folder: str, overrides: Sequence[str] = ()) -> Loaded:
    """The configuration in force: defaults, the files of `folder` unless it is empty, the environment, --set."""
    from tmt.sections import load_config

    directory = Path(folder) if folder else None
    return load_config(directory, environment=os.environ, overrides=overrides)


def show(terminal: Terminal, chosen: Chosen, section: str | None) -> None:
    """`tmt config show`."""
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    shown = loaded.sections if section is None else {section: _section(loaded, section)}
    plain: dict[str, Any] = msgspec.to_builtins(shown, str_keys=True, builtin_types=(Decimal,))
    text = as_yaml(plain if section is None else plain[section])
    terminal.answer(ConfigShown(hash=loaded.hash, sections=plain), text)


def _section(loaded: Loaded, name: str) -> Any:
    # A section that is a folder also has its files: rule_books/default.
    files = {
        f"{folder}/{stem}": value
        for folder, section in loaded.sections.items()
        if isinstance(section, dict)
        for stem, value in section.items()
    }
    known = {**loaded.sections, **files}
    if name not in known:
        raise ConfigError("TMT-C009", f"there is no section '{name}'", fix=did_you_mean(name, known))
    return known[name]


def as_yaml(plain: Any) -> str:
    """YAML that the configuration takes back unchanged: numbers as plain digits, texts quoted where they must be."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Knows exact numbers, and writes nothing as an alias."""

        def ignore_aliases(self, _: Any) -> bool:
            return True

    def plain_digits(dumper: yaml.SafeDumper, value: Decimal | float) -> yaml.ScalarNode:
        text = format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
        # The tag that the text has anyway, so that none is written.
        tag: str = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return dumper.represent_scalar(tag, text)

    Dumper.add_representer(Decimal, plain_digits)
    Dumper.add_representer(float, plain_digits)
    text: str = yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def explain(terminal: Terminal, chosen: Chosen, key: str) -> None:
    """`tmt config explain`."""
    found = load_settings(chosen.config_folder, chosen.overrides).explain(key)
    rows: list[tuple[str, ...]] = [
        ("key", found.key),
        ("value", found.value),
        ("set by", f"{found.layer}, {found.where}"),
    ]
    if found.doc:
        rows.append(("means", found.doc))
    answer = KeyExplained(key=found.key, value=found.value, layer=found.layer, where=found.where, doc=found.doc)
    terminal.answer(answer, table(rows))


def check(terminal: Terminal, chosen: Chosen) -> None:
    """`tmt config check`."""
    loaded = load_settings(chosen.config_folder, chosen.overrides)
    changed = tuple(key for key, place in loaded.origins.items() if place.layer != "default" and "." in key)
    answer = ConfigChecked(hash=loaded.hash, sections=tuple(loaded.sections), changed=changed)
    lines = [f"valid: {len(loaded.sections)} sections, hash {loaded.hash}"]
    lines += [f"  not the default: {key} ({loaded.origins[key]})" for key in changed]
    terminal.answer(answer, "\n".join(lines))
