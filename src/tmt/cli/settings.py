"""`tmt config`, and the configuration that every command loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    if section is not None and section not in loaded.sections:
        raise ConfigError("TMT-C009", f"there is no section '{section}'", fix=did_you_mean(section, loaded.sections))
    shown = {section: loaded.sections[section]} if section else loaded.sections
    plain: dict[str, Any] = msgspec.to_builtins(shown, str_keys=True)
    terminal.answer(ConfigShown(hash=loaded.hash, sections=plain), _as_yaml(plain))


def _as_yaml(plain: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
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
