"""What `tmt doctor` asks of the installation and the configuration."""

from __future__ import annotations

import decimal
import importlib.util
import os
import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from tmt.cli.folders import Chosen
from tmt.cli.results import Finding
from tmt.errors import ConfigError

DISTRIBUTION: Final = "tmt-trading"
_SQLITE_MIN: Final = (3, 51, 3)
_RANDOM_DIGEST: Final = "572edcfff34c5f50"
"""Of the first 64 normal numbers of PCG64 with seed 7, as every machine must give them."""

_ID: Final = "b2ef4244a5139af060c77ce0eabbf11f"
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9.]+)")


def checks(chosen: Chosen) -> list[tuple[str, Callable[[], Finding]]]:
    """Every check of the installation and the configuration, by name."""
    return [
        ("installation", _installation),
        ("packages", _packages),
        ("lock file", _lock_file),
        ("sqlite", _sqlite),
        ("kernel cache", _kernel_cache),
        ("exact numbers", _exact_numbers),
        ("same decisions everywhere", _determinism),
        ("configuration", lambda: _configuration(chosen)),
        ("rule books", lambda: _rule_books(chosen)),
        ("accounts", lambda: _accounts(chosen)),
        ("environment", _environment),
        ("test data", _test_data),
    ]


def _package_folder() -> Path:
    found = importlib.util.find_spec("tmt")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _installation() -> Finding:
    version = metadata.version(DISTRIBUTION)
    return Finding(name="installation", outcome="ok", evidence=f"{DISTRIBUTION} {version} in {_package_folder()}")


def _packages() -> Finding:
    wrong: list[str] = []
    required = [_REQUIREMENT.match(text) for text in metadata.requires(DISTRIBUTION) or ()]
    for found in required:
        if found is None:
            continue
        name, lowest = found.groups()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
        else:
            if _numbers(version) < _numbers(lowest):
                wrong.append(f"{name} {version} is older than {lowest}")
    return Finding(
        name="packages",
        outcome="broken" if wrong else "ok",
        evidence="; ".join(wrong) or f"all {len(required)} are there and new enough",
        fix="make setup, or: python -m pip install --upgrade tmt-trading" if wrong else "",
    )


def _lock_file() -> Finding:
    file = _package_folder().parents[1] / "uv.lock"
    if not file.is_file():
        return Finding(name="lock file", outcome="info", evidence="none: installed from a package, not from a checkout")
    locked: dict[str, set[str]] = {}
    for each in tomllib.loads(file.read_text())["package"]:
        locked.setdefault(each["name"], set()).add(each.get("version", ""))
    differing = []
    for installed in metadata.distributions():
        name = (installed.metadata["Name"] or "").lower().replace("_", "-")
        wanted = locked.get(name)
        if wanted and installed.version not in wanted and name != DISTRIBUTION:
            differing.append(f"{name} {installed.version} instead of {' or '.join(sorted(wanted))}")
    return Finding(
        name="lock file",
        outcome="warning" if differing else "ok",
        evidence="; ".join(sorted(differing)) or "installed packages are those of uv.lock",
        fix="make setup" if differing else "",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _sqlite() -> Finding:
    import apsw

    version = apsw.sqlite_lib_version()
    good = _numbers(version) >= _SQLITE_MIN
    return Finding(
        name="sqlite",
        outcome="ok" if good else "broken",
        evidence=f"{version} from apsw {apsw.apsw_version()}; 3.51.3 is the first without the write-ahead-log bug",
        fix="" if good else "python -m pip install --upgrade apsw",
    )


def _kernel_cache() -> Finding:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else _package_folder() / "market" / "__pycache__"
    existing = folder if folder.is_dir() else folder.parent
    good = os.access(existing, os.W_OK)
    cached = len(list(folder.glob("kernel*.nbc"))) if folder.is_dir() else 0
    return Finding(
        name="kernel cache",
        outcome="ok" if good else "warning",
        evidence=f"{folder} {'can' if good else 'cannot'} be written, {cached} kernels compiled",
        fix="" if good else "export NUMBA_CACHE_DIR=~/.cache/tmt-numba, or kernels are compiled at every start",
    )


def _exact_numbers() -> Finding:
    from tmt.domain import money

    money.use_exact_arithmetic()
    try:
        good = Decimal(1) / Decimal(3) is None
    except decimal.Inexact:
        good = True
    return Finding(
        name="exact numbers",
        outcome="ok" if good else "broken",
        evidence="inexact money raises" if good else "1/3 of money was rounded silently",
        fix="" if good else "make setup: the decimal module is not the one this program was tested with",
    )


def _determinism() -> Finding:
    import numpy as np

    from tmt.domain.identity import derive_id

    drawn = np.random.Generator(np.random.PCG64(7)).standard_normal(64)
    digest = blake2b(drawn.tobytes(), digest_size=8).hexdigest()
    good = digest == _RANDOM_DIGEST and derive_id("doctor", "1") == _ID
    return Finding(
        name="same decisions everywhere",
        outcome="ok" if good else "broken",
        evidence=f"seeded numbers {digest}, ids {derive_id('doctor', '1')[:8]}, {'as' if good else 'not as'} elsewhere",
        fix="" if good else "make setup: this numpy draws other numbers from the same seed",
    )


def _loaded(chosen: Chosen) -> Any:
    from tmt.cli.settings import load_settings

    return load_settings(chosen.config_folder, chosen.overrides)


def _configuration(chosen: Chosen) -> Finding:
    try:
        loaded = _loaded(chosen)
    except ConfigError as error:
        evidence = "; ".join(problem.splitlines()[0] for problem in error.problems)
        return Finding(name="configuration", outcome="broken", evidence=evidence, fix="tmt config check")
    source = chosen.config_folder or "the package's defaults"
    return Finding(name="configuration", outcome="ok", evidence=f"{len(loaded.sections)} sections from {source}")


def _rule_books(chosen: Chosen) -> Finding:
    sections = _loaded(chosen).sections
    books = sections["rule_books"]
    missing = sorted({account.rule_book for account in sections["accounts"].accounts} - set(books))
    return Finding(
        name="rule books",
        outcome="broken" if missing else "ok",
        evidence=f"missing: {', '.join(missing)}" if missing else ", ".join(sorted(books)),
        fix="add rule_books/NAME.yml, or name another in accounts.yml" if missing else "",
    )


def _accounts(chosen: Chosen) -> Finding:
    sections = _loaded(chosen).sections
    known = {each.symbol for each in sections["instruments"].instruments}
    listed = sections["accounts"].accounts
    unknown = sorted({symbol for account in listed for symbol in account.instruments} - known)
    return Finding(
        name="accounts",
        outcome="broken" if unknown else "ok",
        evidence=f"unknown instruments: {', '.join(unknown)}"
        if unknown
        else f"{len(listed)} accounts, {len(known)} instruments",
        fix="mend accounts.yml, or add the instruments to instruments.yml" if unknown else "",
    )


def _environment() -> Finding:
    names = sorted(name for name in os.environ if name.startswith("TMT_"))
    return Finding(name="environment", outcome="info", evidence=", ".join(names) or "no TMT_ variables are set")


def _test_data() -> Finding:
    folder = os.environ.get("TMT_TEST_DATA", "")
    found = bool(folder) and Path(folder).is_dir()
    evidence = folder if found else "not here; only the tests on recorded markets need them (TMT_TEST_DATA)"
    return Finding(name="test data", outcome="info", evidence=evidence)
