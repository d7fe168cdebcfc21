from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from training.errors import InputError
from training.reading.files import InputFile, check_letter_case, find_files, read_csv_header


def find_names(*names: Path | str, scratch: Path) -> list[str]:
    scratch.mkdir(exist_ok=True)
    return [Path(file.name).name for file in find_files(names, scratch)]


def test_a_folder_stands_for_its_data_files_in_sorted_order(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    (shop / "2017").mkdir(parents=True)
    for name in (
        "b.csv",
        "a.jsonl",
        "2017/c.parquet",
        "_SUCCESS",
        ".d.csv",
        "notes.txt",
        "e.csv.GZ",
    ):
        (shop / name).write_bytes(gzip.compress(b"x", mtime=0) if name.endswith("GZ") else b"x")
    assert find_names(shop, scratch=tmp_path / "scratch") == [
        "c.parquet",
        "a.jsonl",
        "b.csv",
        "e.csv.GZ",
    ]


def test_a_glob_is_expanded_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c[1].csv"):
        (tmp_path / name).write_text("x")
    scratch = tmp_path / "scratch"
    assert find_names(tmp_path / "*.csv", tmp_path / "a.csv", scratch=scratch) == [
        "a.csv",
        "b.csv",
        "c[1].csv",
    ]
    assert find_names(tmp_path / "c[1].csv", scratch=scratch) == ["c[1].csv"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", r"empty\.csv is empty \(0 rows\)"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), r"empty\.csv\.gz is empty \(0 rows\)"),
        ("orders.xls", b"x", r"orders\.xls: not a kind of file"),
        ("orders.parquet.gz", b"x", r"orders\.parquet\.gz: not a kind of file"),
        ("plain.csv.gz", b"customer_id", r"plain\.csv\.gz cannot be read: Not a gzipped file"),
        (
            "short.csv.gz",
            gzip.compress(b"1,2\n" * 99, mtime=0)[:-20],
            r"short\.csv\.gz cannot be read: .*ended before",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        find_names(tmp_path / name, scratch=tmp_path / "scratch")


def test_a_gz_damaged_in_its_middle_is_not_taken_for_a_shorter_one(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b"".join(b"%d,2017-01-01\n" % i for i in range(9999))))
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "orders.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"orders\.csv\.gz cannot be read"):
        find_names(tmp_path / "orders.csv.gz", scratch=tmp_path / "scratch")


@pytest.mark.parametrize("name", ["nothing", "*.csv", "s3://bucket/orders.csv"])
def test_a_name_that_matches_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"no such file.*\(0 files"):
        find_names(f"{tmp_path}/{name}", scratch=tmp_path / "scratch")


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match=r"no file with a known ending \(0 files"):
        find_names(tmp_path, scratch=tmp_path)


@pytest.mark.parametrize(
    ("text", "delimiter", "names"),
    [
        ("a,b\n1,2\n", ",", ("a", "b")),
        ("\ufeffa;b\r\n1;2\r\n", ";", ("a", "b")),
        ("a\tb\n", "\t", ("a", "b")),
        ("a|b", "|", ("a", "b")),
        ('"a;x;y",b\n', ",", ("a;x;y", "b")),
        ("alone\n", ",", ("alone",)),
    ],
)
def test_the_delimiter_is_what_the_first_line_holds_most_of(
    tmp_path: Path, text: str, delimiter: str, names: tuple[str, ...]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    header = read_csv_header(InputFile("a.csv", path, "csv"))
    assert (header.delimiter, header.names) == (delimiter, names)


@pytest.mark.parametrize(
    ("content", "what"), [(b"\xff\xfea\n", "not UTF-8"), (b"\n1,2\n", "empty line")]
)
def test_a_first_line_without_names_is_an_error(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.csv .*{what}"):
        read_csv_header(InputFile("a.csv", path, "csv"))


def test_names_that_differ_in_letter_case_alone_are_an_error() -> None:
    with pytest.raises(InputError, match=r"a\.csv has 2 columns .* 'Price' and 'price'"):
        check_letter_case("a.csv", ["Price", "title", "price"])
