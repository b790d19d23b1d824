from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import BadFile
from isoflop.quantity import parse_toml, read_text, read_toml, toml_file


def test_tables_come_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b'\xef\xbb\xbf[device]\nname = "a.b.c [x] {"\npeak = [1e12, 2_000]\n"key.with" = true\n')
    assert read_toml(path) == {"device": {"name": "a.b.c [x] {", "peak": [1e12, 2000], "key.with": True}}
    assert read_text(path).startswith("[device]")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 100_000, "nested deeper than 32"),
        ("a = " + "[" * 33 + "]" * 33, "nested deeper than 32"),
        ("a = " + "{a=" * 40 + "1" + "}" * 40, "nested deeper than 32"),
        ("a" + ".a" * 200_000 + " = 1", "nested deeper than 32"),
        ('"a"' + ' . "a"' * 40 + " = 1", "nested deeper than 32"),
        ("[" + "a." * 40 + "a]\nb = 1", "nested deeper than 32"),
        ("# x\n\na = " + "[" * 40, "line 3"),
        ("a = 1e400", "'a' is inf"),
        ("[t]\na = [1.0, nan]", "'t.a.1' is nan"),
        ("a = -inf", "'a' is -inf"),
        ("a = 99999999999999999999", "'a' is an integer beyond 64 bits"),
        ("a = " + "9" * 5000, "cannot be read"),
        ("a = 1\na = 2", "not valid TOML"),
        ("a = ", "not valid TOML"),
        ("a = 2020-13-45", "not valid TOML"),
        ('a = "\\ud800"', "not valid TOML"),
    ],
    ids=range(16),
)
def test_broken_text_is_refused_with_file_and_place(text: str, says: str) -> None:
    with pytest.raises(BadFile, match=r"own\.toml") as caught:
        parse_toml(text, "own.toml")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400


def test_brackets_in_strings_and_comments_do_not_nest() -> None:
    many = "[" * 100
    text = (
        f'a = "{many}\\"{many}"\nb = \'{many}\'\nc = """{many}\n"{many}"""\n'
        f"d = '''{many}\n{many}''' # {many}\ne = 1.5"
    )
    assert parse_toml(text, "x")["e"] == 1.5


ENDLESS = [
    '"\\' * 99_999,
    '"""\\' * 99_999,
    '"""\\' + '"' * 99_999,
    "'''" + "''" * 99_999 + "x",
    "'\n" * 99_999,
    'a="\\',
]


@pytest.mark.parametrize("text", ENDLESS, ids=range(len(ENDLESS)))
def test_strings_that_never_end_are_refused_in_linear_time(text: str) -> None:
    with pytest.raises(BadFile):
        parse_toml(text, "x")


def test_quotes_at_the_end_of_a_long_string_hide_nothing() -> None:
    text = 'a = ["""x"""", ' + "[" * 40 + "]" * 40 + "]"
    with pytest.raises(BadFile, match="nested deeper"):
        parse_toml(text, "x")


def test_large_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as stream:
        stream.truncate(10_000_000)
    with pytest.raises(BadFile, match="larger than 1,000,000 bytes"):
        read_toml(path)
    with pytest.raises(BadFile, match="larger than 10 bytes"):
        read_text(path, most_bytes=10)


@pytest.mark.parametrize("name", ["missing.toml", ".", "a\x00b"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadFile):
        read_toml(tmp_path / name)


def test_endless_devices_are_not_opened() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no such device here")
    with pytest.raises(BadFile, match="not a regular file"):
        read_toml("/dev/zero")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(BadFile, match="byte 5 is not UTF-8"):
        read_toml(path)


PIECES = st.sampled_from([
    "a", "b", "1", "1.5", "1e999", "=", ".", ",", "[", "]", "{", "}", "[[", "]]", '"', "'", '"""', "'''", "#", "\\",
    "true", "nan", "inf", "2020-01-01", "0x", "\n",
])  # fmt: skip


@given(text=st.text(max_size=60) | st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_toml(text, "x"), dict)
    except BadFile:
        return


PIECES = st.sampled_from(
    ["[", "]", "{", "}", '"', "'", '"""', "#", "=", ",", ".", "\n", " ", "a", "a = ", "a = [", "true", "1"]
)


@given(st.lists(PIECES, max_size=40), st.integers(0, 3))
def test_the_quick_look_lets_nothing_deep_pass(pieces: list[str], deepest: int) -> None:
    """It may send a text on to the slow look; what it lets pass is shallow there too, or no TOML."""
    text = "a = 1\n" + "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toml_file, "DEEPEST", deepest)
        if not toml_file._is_surely_shallow(text):
            return
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            return
        patch.setattr(toml_file, "_is_surely_shallow", lambda _: False)
        toml_file._check_depth(text, "x")


@pytest.mark.parametrize("line", ["b = [", "b = {", "b.c=[[", "b = [1, ["])
def test_lines_that_look_like_statements_inside_a_value_stop_the_parser(line: str) -> None:
    with pytest.raises(BadFile, match="not valid TOML"):
        parse_toml("a = [\n" + f"{line}\n" * 20_000, "x")


@pytest.mark.parametrize("hidden", ["[[[[[", "{{{{{", "....."])
def test_strings_do_not_hide_what_follows_them(hidden: str) -> None:
    text = f'a = "{hidden}"\nb = ' + "[" * 40
    with pytest.raises(BadFile, match="line 2 is nested deeper"):
        parse_toml(text, "x")
    several = f'a = ["""\nb = {hidden}\n""", ' + "[" * 40
    with pytest.raises(BadFile, match="nested deeper"):
        parse_toml(several, "x")
