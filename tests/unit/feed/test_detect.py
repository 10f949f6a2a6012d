"""Which file is what: by content, with an error for each way of being wrong."""

import gzip
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests.unit.feed.given import EURUSD, FEEDS, feeds, lean_zip, quality, rows_of
from tmt.adapters.feed.detect import data_files
from tmt.adapters.feed.errors import ERROR_CODES
from tmt.adapters.feed.opening import open_replay
from tmt.adapters.feed.unpacked import opened, zip_member
from tmt.errors import InputError

QUOTES = ("20140501_eurusd_tick_quote.csv", "292,1.38676,1.38686", "920,1.38676,1.38687")


def refusal(*paths: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        rows_of(open_replay(paths, EURUSD, FEEDS))
    assert caught.value.code in ERROR_CODES
    assert caught.value.where
    assert caught.value.fix
    return caught.value


def test_a_path_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere.zip")
    assert error.code == "TMT-D001"
    assert "nowhere.zip" in error.what


def test_a_folder_stands_for_its_files_and_passes_over_notes(tmp_path: Path) -> None:
    lean_zip(tmp_path, *QUOTES)
    (tmp_path / "README.md").write_text("notes")
    (tmp_path / ".hidden").write_text("")
    assert len(rows_of(open_replay([tmp_path], EURUSD, FEEDS))) == 2


def test_a_folder_with_an_unknown_file_is_refused_and_the_file_named(tmp_path: Path) -> None:
    lean_zip(tmp_path, *QUOTES)
    (tmp_path / "letter.doc").write_text("dear")
    error = refusal(tmp_path)
    assert error.code == "TMT-D002"
    assert "letter.doc" in error.what


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "TMT-D002"


def test_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in data_files([tmp_path])] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("content", [b"dear reader", b"1;2;3\n", b"", b"\x00\x01\x02"])
def test_content_in_no_known_format_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    assert refusal(path).code == "TMT-D003"


def test_a_zip_that_is_not_leans_is_refused(tmp_path: Path) -> None:
    assert refusal(lean_zip(tmp_path, "notes.csv", "dear,reader")).code == "TMT-D003"


def test_an_extension_that_disagrees_with_the_content_is_refused(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, *QUOTES).rename(tmp_path / "quotes.gz")
    error = refusal(path)
    assert error.code == "TMT-D004"
    assert "zip" in error.what


def test_a_name_without_an_extension_is_judged_by_content_alone(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, *QUOTES).rename(tmp_path / "quotes")
    assert len(rows_of(open_replay([path], EURUSD, FEEDS))) == 2


def test_a_cut_zip_is_damaged(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, *QUOTES)
    path.write_bytes(path.read_bytes()[:60])
    assert refusal(path).code == "TMT-D005"


def test_a_zip_with_a_flipped_byte_is_damaged(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, *QUOTES)
    content = bytearray(path.read_bytes())
    content[70] ^= 0xFF
    path.write_bytes(content)
    assert refusal(path).code == "TMT-D005"


def test_a_zip_without_a_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.zip"
    with zipfile.ZipFile(path, "w"):
        pass
    assert refusal(path).code == "TMT-D005"


def test_a_zip_with_an_empty_file_is_empty(tmp_path: Path) -> None:
    assert refusal(lean_zip(tmp_path, "20140501_eurusd_tick_quote.csv")).code == "TMT-D005"


def test_a_cut_gzip_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "tape.gz"
    path.write_bytes(gzip.compress(b"1723161254087891268 {}\n" * 50_000, compresslevel=0)[:-40])
    assert refusal(path).code == "TMT-D005"


def test_the_data_of_another_instrument_are_refused(tmp_path: Path) -> None:
    error = refusal(lean_zip(tmp_path, "20131007_spy_Trade_Tick.csv", "14400464,1674100,100,P,20002000,0"))
    assert error.code == "TMT-D006"
    assert "SPY" in error.what
    assert "EURUSD" in error.what


def test_a_feed_of_which_no_row_is_left_is_refused_after_telling_why(tmp_path: Path) -> None:
    feed = open_replay([lean_zip(tmp_path, QUOTES[0], "292,1.5,1.4")], EURUSD, FEEDS)
    with pytest.raises(InputError) as caught:
        rows_of(feed)
    assert caught.value.code == "TMT-D007"
    assert quality(feed).crossed == 1


def too_large(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([path], EURUSD, feeds(file_megabytes_max=1)))
    assert caught.value.code == "TMT-D013"
    assert caught.value.code in ERROR_CODES
    assert caught.value.where == str(path)
    assert "file_megabytes_max" in caught.value.fix


@pytest.mark.parametrize(("beyond", "refused"), [(-1, False), (0, False), (1, True)])
def test_the_content_of_an_archive_may_be_as_large_as_the_bound_and_no_larger(
    tmp_path: Path, beyond: int, refused: bool
) -> None:
    content = b"x" * (5_000_000 + beyond)
    packed, gzipped = tmp_path / "a.zip", tmp_path / "a.gz"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", content)
    gzipped.write_bytes(gzip.compress(content))

    def unzipped() -> bytes:
        return zip_member(packed, 5_000_000)[1]

    def ungzipped() -> bytes:
        with opened(gzipped, 5_000_000) as file:
            return file.read()

    for read in (unzipped, ungzipped):
        if refused:
            with pytest.raises(InputError) as caught:
                read()
            assert caught.value.code == "TMT-D013"
        else:
            assert read() == content


def test_a_zip_that_declares_more_than_the_bound_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path, 64_000_000)
    tracemalloc.start()
    too_large(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4_000_000


def test_a_zip_that_declares_less_than_it_holds_is_cut_and_refused(tmp_path: Path) -> None:
    path = bomb(tmp_path, 64_000_000)
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 1000)  # the size that the directory declares
    path.write_bytes(content)
    tracemalloc.start()
    assert refusal(path).code == "TMT-D005"
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4_000_000


def bomb(folder: Path, size: int) -> Path:
    path = folder / "20140501_eurusd_tick_quote.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("20140501_eurusd_tick_quote.csv", b"292,1.38676,1.38686\n" * (size // 20))
    return path


def test_a_zip_compressed_by_another_method_is_refused_for_its_size_cannot_be_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(QUOTES[0], "\n".join(QUOTES[1:]))
    assert refusal(path).code == "TMT-D005"


@pytest.mark.parametrize(
    "line", [b"2014-05-01 12:00:00,1.38676,1.38686\n", b"1723161254087891268 {}" + b" " * 77 + b"\n"]
)
def test_a_gzip_larger_than_the_bound_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "data.gz"
    header = b"time,bid,ask\n" if b"," in line else b""
    path.write_bytes(gzip.compress(header + line * 40_000))
    too_large(path)


def test_an_event_list_larger_than_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(json.dumps([{"Reconnecting": "x" * 1_000_000}]))
    too_large(path)
