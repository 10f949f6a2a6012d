"""What is wrong is told all at once, each with code, place and a hint."""

from pathlib import Path

import pytest

from tests.unit.config.settings import BANDS, RISK, loaded, packaged
from tmt.cli.settings import load_settings
from tmt.config import source
from tmt.errors import ConfigError

MISTAKES = [
    ("risk_fraction: 0.10 ", "risk_fraction: 1.01 ", "TMT-C006", ":2:16:", "risk_fraction must be at most 1, was 1.01"),
    ("risk_fraction: 0.10 ", "risk_fraction: 1e-2 ", "TMT-C006", ":2:16:", "not a plain decimal number: '1e-2'"),
    ("risk_fraction: 0.10 ", "risk_fraction: .nan ", "TMT-C006", ":2:16:", "not a plain decimal number: '.nan'"),
    ("risk_fraction: 0.10 ", "risk_fraction: '0.1'", "TMT-C006", ":2:16:", "a plain number, without quotes"),
    ("risk_fraction: 0.10 ", "risk_fracton: 0.10  ", "TMT-C005", ":2:1:", "did you mean 'risk_fraction'?"),
    ("orders_max: 3", "orders_max: 0", "TMT-C006", ":3:13:", "orders_max must be at least 1, was 0"),
    ("orders_max: 3", "orders_max: 3.0", "TMT-C006", ":3:13:", "must be a whole number, was '3.0'"),
    ("orders_max: 3", "orders_max: '3'", "TMT-C006", ":3:13:", "must be a whole number"),
    ("orders_max: 3", "orders_max: [3]", "TMT-C006", ":3:13:", "must be a whole number, was a list"),
    ("strict: true", "strict: yes", "TMT-C006", ":4:9:", "must be true or false, was 'yes'"),
    ("mode: stop", "mode: stap", "TMT-C006", ":10:7:", "did you mean 'stop'?"),
    ("side: buy", "side: long", "TMT-C006", ":11:7:", "must be one of buy, sell"),
    ("factor: 0.25", "factor: 1.25", "TMT-C006", ":8:13:", "factor must be at most 1, was 1.25"),
    ("names: {EURUSD: 7}", "names: 7", "TMT-C006", ":9:8:", "must be keys and values, was '7'"),
    ("names: {EURUSD: 7}", "names: {EURUSD: x}", "TMT-C006", ":9:17:", "must be a whole number"),
    ("mode: stop\n", "", "TMT-C007", ":2:1:", "the key 'mode' of risk is missing"),
    ("mode: stop", "mode: stop\nmode: warn", "TMT-C003", ":11:1:", "'mode' is there twice"),
    ("mode: stop", "mode: &x stop", "TMT-C002", ":10:7:", "an anchor"),
    ("mode: stop", "mode: *x", "TMT-C002", ":10:7:", "an alias"),
    ("mode: stop", "mode: !!str stop", "TMT-C002", ":10:7:", "a tag"),
    ("mode: stop", "mode: [stop", "TMT-C002", ":11:5:", "not readable as YAML"),
    ("side: buy\n", "side: buy\n---\nside: sell\n", "TMT-C002", ":12:1:", "a second document"),
]


@pytest.mark.parametrize(("right", "wrong", "code", "place", "words"), MISTAKES)
def test_a_mistake_is_told_with_code_place_and_caret(
    tmp_path: Path, right: str, wrong: str, code: str, place: str, words: str
) -> None:
    assert right in RISK
    with pytest.raises(ConfigError) as caught:
        loaded(packaged(tmp_path, risk=RISK.replace(right, wrong)))
    told = [problem for problem in caught.value.problems if code in problem and words in problem]
    assert told, caught.value.problems
    assert f"risk.yml{place}" in told[0]
    line, column = map(int, place.strip(":").split(":"))
    shown = told[0].splitlines()[2]
    assert shown == f"       | {' ' * (column - 1)}^"
    assert told[0].splitlines()[1].startswith(f"  {line:>4} | ")


def test_all_mistakes_of_all_layers_are_told_at_once(tmp_path: Path) -> None:
    defaults = packaged(tmp_path / "defaults", bands=BANDS.replace("factor: 1", "factor: 2"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "risk.yml").write_text(RISK.replace("mode: stop", "mode: x").replace("orders_max: 3", "orders_max: none"))
    (mine / "rsik.yml").write_text("")
    environment = {"TMT__RSIK__MODE": "stop", "TMT__RISK__STRICT": "maybe"}
    with pytest.raises(ConfigError) as caught:
        loaded(defaults, mine, environment, ("risk.bands.7.factor=1", "nonsense"))
    assert caught.value.code == "TMT-C001"
    codes = sorted(problem.split()[0] for problem in caught.value.problems)
    assert codes == ["TMT-C004", *["TMT-C006"] * 4, *["TMT-C009"] * 3]
    assert any("rsik.yml" in problem and "did you mean 'risk.yml'?" in problem for problem in caught.value.problems)


def test_a_single_mistake_gives_its_own_code(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(packaged(tmp_path, risk=RISK.replace("orders_max: 3", "orders_max: 0")))
    assert caught.value.code == "TMT-C006"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("size", "good"), [(source.BYTES_MAX, True), (source.BYTES_MAX + 1, False)])
def test_a_file_may_have_a_megabyte_and_no_more(tmp_path: Path, size: int, good: bool) -> None:
    defaults = packaged(tmp_path, risk=RISK + "#" * (size - len(RISK)))
    if good:
        assert loaded(defaults).sections["risk"].orders_max == 3
    else:
        with pytest.raises(ConfigError, match="1 mistake"):
            loaded(defaults)


@pytest.mark.parametrize(
    ("depth", "good"), [(source.DEPTH_MAX, True), (source.DEPTH_MAX + 1, False), (source.BYTES_MAX // 2, False)]
)
def test_nesting_is_bounded(depth: int, good: bool) -> None:
    text = "[" * depth + "]" * depth
    if good:
        assert isinstance(source.parse(text, "default", "x.yml"), source.Items)
    else:
        with pytest.raises(source.Unreadable, match="nested deeper"):
            source.parse(text, "default", "x.yml")


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    defaults = packaged(tmp_path)
    (defaults / "risk.yml").write_bytes(b"mode: \xff\xfe")
    with pytest.raises(ConfigError) as caught:
        loaded(defaults)
    assert "is not UTF-8 text" in caught.value.problems[0]


def test_a_section_without_a_file_is_told(tmp_path: Path) -> None:
    defaults = packaged(tmp_path)
    (defaults / "bands.yml").unlink()
    with pytest.raises(ConfigError) as caught:
        loaded(defaults)
    assert caught.value.problems[0].startswith("TMT-C008 there is no bands.yml")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 mistake") as caught:
        loaded(packaged(tmp_path), tmp_path / "nowhere")
    assert caught.value.code == "TMT-C004"


def test_notes_and_hidden_files_in_the_folder_are_passed_over(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("mine")
    (mine / ".risk.yml.swp").write_text("")
    assert loaded(packaged(tmp_path / "defaults"), mine).sections["risk"].orders_max == 3


def test_the_files_that_ship_are_valid() -> None:
    assert load_settings("").sections["aria"].risk_fraction > 0
