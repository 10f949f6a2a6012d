"""A flag changes the one key that it says and nothing else; a flag of no use is refused by name."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tmt.errors import ConfigError
from tmt.sections import FLAGS, load_config

GOOD = {
    "RISK_MULTIPLIER": ("0.5", "0.5"),
    "COMPLIANCE_MODE": ("lenient", "lenient"),
    "CIRCUIT_BREAKER_THRESHOLDS_LOOSE": ("TRUE", True),
    "STAGING_MAX_POSITION_SIZE": ("1000", "1000"),
    "STAGING_RISK_LIMIT_PERCENT": ("1.5", "0.015"),
    "DETECTION_INTERVAL": ("7", 7),
}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, each in value.items() for k, v in leaves(each, f"{path}.{key}".lstrip(".")).items()}
    if isinstance(value, list):
        return {k: v for i, each in enumerate(value) for k, v in leaves(each, f"{path}.{i}").items()}
    return {path: value}


def values(environment: dict[str, str]) -> dict[str, Any]:
    return leaves(msgspec.json.decode(msgspec.json.encode(load_config(None, environment=environment).sections)))


def test_every_flag_is_tried() -> None:
    assert set(GOOD) == set(FLAGS)


@pytest.mark.parametrize("name", GOOD)
def test_a_flag_sets_its_key_and_nothing_else(name: str) -> None:
    text, value = GOOD[name]
    before, after = values({}), values({name: text})
    assert before.keys() == after.keys()
    assert {key: after[key] for key in after if after[key] != before[key]} == {FLAGS[name].key: value}


def test_the_hash_of_the_configuration_follows_the_flags() -> None:
    assert load_config(None, environment={"RISK_MULTIPLIER": "0.5"}).hash != load_config(None).hash
    assert load_config(None, environment={"RISK_MULTIPLIER": "1"}).hash == load_config(None).hash


def test_the_longer_name_of_a_key_wins_over_its_flag() -> None:
    loaded = load_config(None, environment={"RISK_MULTIPLIER": "0.5", "TMT__ARIA__RISK_MULTIPLIER": "0.25"})
    assert loaded.sections["aria"].risk_multiplier == Decimal("0.25")


def test_a_key_that_a_flag_set_names_the_flag() -> None:
    explained = load_config(None, environment={"COMPLIANCE_MODE": "lenient"}).explain("compliance.mode")
    assert (explained.value, explained.where) == ("lenient", "COMPLIANCE_MODE")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RISK_MULTIPLIER", ""),
        ("RISK_MULTIPLIER", "0"),
        ("RISK_MULTIPLIER", "-1"),
        ("RISK_MULTIPLIER", "much"),
        ("COMPLIANCE_MODE", "off"),
        ("CIRCUIT_BREAKER_THRESHOLDS_LOOSE", "yes"),
        ("STAGING_MAX_POSITION_SIZE", "0"),
        ("STAGING_RISK_LIMIT_PERCENT", "two"),
        ("STAGING_RISK_LIMIT_PERCENT", "NaN"),
        ("STAGING_RISK_LIMIT_PERCENT", "101"),
        ("DETECTION_INTERVAL", "0"),
        ("DETECTION_INTERVAL", "1.5"),
    ],
)
def test_a_flag_of_no_use_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, environment={name: text})
    assert name in f"{caught.value} {caught.value.problems}"
