import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import ndjson
from kit.errors import Invalid, TooLarge
from kit.ndjson import Gunzip, Line, Lines, gunzip, is_gzip


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


class TestLines:
    @given(st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")), max_size=8), st.integers(1, 9))
    def test_are_the_same_however_they_come(self, whole: list[bytes], size: int) -> None:
        lines, found = Lines(longest=12), []

        for piece in cut(b"\n".join(whole), size):
            found += lines.feed(piece)
        found += lines.finish()

        kept = [raw.removeprefix(b"\xef\xbb\xbf") if n == 0 else raw for n, raw in enumerate(whole)]
        assert found == [Line(n, raw) for n, raw in enumerate(kept, start=1) if raw.strip()]

    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_one_that_is_too_long_is_read_past_and_told_by_its_number(self, size: int) -> None:
        lines, found = Lines(longest=5), []

        for piece in cut(b"one\n" + b"x" * 30 + b"\n\nfour\n" + b"y" * 6, size):
            found += lines.feed(piece)
            assert len(lines._rest) <= 5
        found += lines.finish()

        assert found == [Line(1, b"one"), Line(2, None), Line(4, b"four"), Line(5, None)]

    def test_a_line_may_be_just_as_long_as_is_allowed(self) -> None:
        assert Lines(longest=5).feed(b"12345\n") == [Line(1, b"12345")]


class TestGunzip:
    @given(st.lists(st.binary(max_size=300), min_size=1, max_size=3), st.integers(1, 50))
    def test_gives_back_what_was_compressed_in_one_or_several_members(self, parts: list[bytes], size: int) -> None:
        opened, found = Gunzip(), b""

        for piece in cut(b"".join(gzip.compress(part) for part in parts), size):
            found += b"".join(opened.feed(piece))
        opened.finish()

        assert found == b"".join(parts)

    def test_comes_in_pieces_however_much_it_becomes(self) -> None:
        packed = gzip.compress(bytes(range(256)) * 4000)

        assert max(len(piece) for piece in Gunzip().feed(packed)) <= ndjson.PIECE

    def test_a_bomb_is_refused_before_it_is_large(self) -> None:
        pieces: list[bytes] = []
        opened = Gunzip().feed(gzip.compress(b" " * 50_000_000)[:30_000])

        with pytest.raises(TooLarge, match="200 times"):
            pieces.extend(opened)
        assert sum(map(len, pieces)) < 30_000 * 200 + ndjson.PIECE

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"plain text", id="no gzip"),
            pytest.param(zlib.compress(b"text"), id="zlib"),
            pytest.param(gzip.compress(b"text")[:-3], id="cut off"),
            pytest.param(gzip.compress(b"text") + b"more", id="with something behind"),
            pytest.param(gzip.compress(b"text")[:-8] + b"\0" * 8, id="with another checksum"),
        ],
    )
    def test_what_is_not_gzip_is_refused(self, data: bytes) -> None:
        with pytest.raises(Invalid, match="gzip"):
            gunzip(data, 1000)

    def test_a_body_is_bounded_after_decompressing(self) -> None:
        assert gunzip(gzip.compress(b"x" * 100), 100) == b"x" * 100
        with pytest.raises(TooLarge, match="larger than 99 bytes"):
            gunzip(gzip.compress(b"x" * 100), 99)

    def test_nothing_at_all_is_an_empty_body(self) -> None:
        assert gunzip(b"", 10) == b""


@pytest.mark.parametrize(("said", "gzipped"), [(None, False), ("identity", False), ("gzip", True), (" GZip", True)])
def test_the_encoding_is_read_from_its_header(said: str | None, gzipped: bool) -> None:
    assert is_gzip(said) is gzipped


@pytest.mark.parametrize("said", ["br", "gzip, gzip", "zstd"])
def test_another_encoding_is_refused_by_name(said: str) -> None:
    with pytest.raises(Invalid, match=said):
        is_gzip(said)
