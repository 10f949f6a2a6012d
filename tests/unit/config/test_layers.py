"""Which layer wins, what a section becomes, and what a key is said to mean."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.config.settings import RISK, Band, loaded, packaged
from tmt.config import source
from tmt.domain.order import Side
from tmt.errors import ConfigError


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    return packaged(tmp_path / "defaults")


def test_every_kind_of_value_is_read(defaults: Path) -> None:
    risk = loaded(defaults).sections["risk"]
    assert (risk.orders_max, risk.strict, risk.mode, risk.side, risk.note) == (3, True, "stop", Side.BUY, None)
    assert risk.names == {"EURUSD": 7}
    assert risk.bands[1] == Band(upper=Decimal(1), factor=Decimal("0.25"))


def test_exact_numbers_keep_the_digits_that_were_written(defaults: Path) -> None:
    assert str(loaded(defaults).sections["risk"].risk_fraction) == "0.10"


@given(st.decimals(0, 1, places=6))
@example(Decimal("0.100000"))
@example(Decimal("0.000001"))
def test_no_digit_of_a_fraction_is_lost(fraction: Decimal) -> None:
    text = format(fraction, "f")
    tree = source.parse(f"a: {text}", "default", "x.yml")
    assert isinstance(tree, source.Entries)
    node = tree.nodes["a"]
    assert isinstance(node, source.Scalar)
    assert node.text == text


def test_a_list_section_and_a_folder_section_are_read(defaults: Path) -> None:
    sections = loaded(defaults).sections
    assert sections["bands"] == (Band(upper=Decimal(1), factor=Decimal(1)),)
    assert sections["rule_books"]["plain"].version == 1


def test_a_file_of_the_folder_replaces_the_default_file_whole(defaults: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "risk.yml").write_text(RISK.replace("0.10", "0.02"))
    assert loaded(defaults, mine).sections["risk"].risk_fraction == Decimal("0.02")
    (mine / "risk.yml").write_text("risk_fraction: 0.02\n")
    with pytest.raises(ConfigError) as caught:
        loaded(defaults, mine)
    assert any("'orders_max' of risk is missing" in problem for problem in caught.value.problems)


def test_a_rule_book_is_added_or_replaced_by_its_name(defaults: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "rule_books"
    mine.mkdir(parents=True)
    (mine / "plain.yml").write_text("version: 2\n")
    (mine / "strict.yml").write_text("version: 9\n")
    books = loaded(defaults, mine.parent).sections["rule_books"]
    assert {name: book.version for name, book in books.items()} == {"plain": 2, "strict": 9}


def test_environment_beats_files_and_overrides_beat_the_environment(defaults: Path) -> None:
    environment = {"TMT__RISK__ORDERS_MAX": "4", "TMT__RISK__NAMES__EURUSD": "8", "TMT_STATE": "elsewhere"}
    risk = loaded(defaults, None, environment).sections["risk"]
    assert (risk.orders_max, risk.names) == (4, {"EURUSD": 8})
    risk = loaded(defaults, None, environment, ("risk.orders_max=5",)).sections["risk"]
    assert (risk.orders_max, risk.names) == (5, {"EURUSD": 8})


def test_overrides_reach_into_lists_and_add_optional_keys(defaults: Path) -> None:
    overrides = ("risk.bands.1.factor=0.5", "bands.0.factor=0.125", "risk.note=a = b", "rule_books.plain.version=3")
    sections = loaded(defaults, overrides=overrides).sections
    assert sections["risk"].bands[1].factor == Decimal("0.5")
    assert sections["bands"][0].factor == Decimal("0.125")
    assert sections["risk"].note == "a = b"
    assert sections["rule_books"]["plain"].version == 3


def test_the_hash_follows_the_values_alone(defaults: Path) -> None:
    first = loaded(defaults)
    (defaults / "risk.yml").write_text("# a remark\n" + RISK)
    assert loaded(defaults).hash == first.hash
    assert loaded(defaults, overrides=("risk.orders_max=3",)).hash == first.hash
    assert loaded(defaults, overrides=("risk.orders_max=4",)).hash != first.hash


def test_a_key_tells_its_value_place_and_meaning(defaults: Path) -> None:
    found = loaded(defaults)
    explained = found.explain("risk.risk_fraction")
    assert (explained.value, explained.layer, explained.where) == ("0.10", "default", "defaults/risk.yml:2:16")
    assert explained.doc == "of equity at the stop of one order, rounding not included."
    assert found.explain("risk.bands.1.factor").doc == "both in [0, 1]."
    assert found.explain("risk.bands").where == "defaults/risk.yml:5:1"
    changed = loaded(defaults, overrides=("risk.risk_fraction=0.2",)).explain("risk.risk_fraction")
    assert (changed.layer, changed.where) == ("override", "risk.risk_fraction=0.2")


def test_a_key_that_is_not_there_is_answered_with_the_nearest(defaults: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(defaults).explain("risk.risk_fractoin")
    assert caught.value.fix == "did you mean 'risk.risk_fraction'?"


def test_a_key_without_a_docstring_is_explained_by_its_comment(defaults: Path) -> None:
    (defaults / "risk.yml").write_text(RISK.replace("orders_max: 3", "orders_max: 3  # at once"))
    assert loaded(defaults).explain("risk.orders_max").doc == "at once"
