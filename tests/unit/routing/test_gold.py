"""Which gold cases are drawn, and how one is made to look like any other case."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from evidence import binomial
from kit.ids import id_at, new_id
from routing.domain.sampling import gold_position, gold_rank
from routing.gold.disguise import a_moment_before, betrays, look_alikes, odds, renamed

ITEMS = [UUID(int=number << 8) for number in range(4000)]


class TestTheDraw:
    def test_takes_its_share_of_the_stream_and_the_same_every_time(self) -> None:
        drawn = [gold_position(b"s", "rita", item) < odds(0.05) for item in ITEMS]

        assert drawn == [gold_position(b"s", "rita", item) < odds(0.05) for item in ITEMS]
        interval = binomial.interval(sum(drawn), sum(drawn) + len(ITEMS), 0.999)
        assert interval.lower < 0.05 < interval.upper

    def test_is_another_one_for_each_person_and_with_each_secret(self) -> None:
        drawn = {item for item in ITEMS if gold_position(b"s", "rita", item) < 0.1}

        for secret, login in ((b"s", "ravi"), (b"t", "rita")):
            both = sum(gold_position(secret, login, item) < 0.1 for item in drawn)
            interval = binomial.interval(both, len(drawn), 0.9999)
            assert interval.lower < 0.1 < interval.upper

    def test_deals_each_person_the_pool_in_an_order_of_their_own(self) -> None:
        def order(login: str) -> list[UUID]:
            return sorted(ITEMS[:20], key=lambda one: gold_rank(b"s", login, one))

        assert order("rita") == order("rita") != order("ravi")

    @pytest.mark.parametrize(("share", "before"), [(0.0, 0.0), (0.05, 0.05 / 0.95), (0.5, 1.0)])
    def test_has_the_odds_that_make_the_share(self, share: float, before: float) -> None:
        assert odds(share) == pytest.approx(before)


class TestDisguise:
    @pytest.mark.parametrize(
        ("case_id", "looks"),
        [
            ("INVOICE", r"INV[A-Z]{4}"),
            ("7f3a9c0e-1111-7222-8333-abcdefabcdef", r"7f3a9c0e-1111-7222-8333-abcd[0-9a-f]{8}"),
            ("0123456789ABCDEF0123", r"0123456789AB[0-9A-F]{8}"),
        ],
    )
    def test_keeps_the_build_of_an_id(self, case_id: str, looks: str) -> None:
        made = set(look_alikes(case_id, b"s", "rita"))

        assert len(made) > 20
        assert all(re.fullmatch(looks, one) for one in made), made

    @pytest.mark.parametrize(
        ("case_id", "nearest"),
        [
            ("C-2026-11-004711", ["C-2026-11-004712", "C-2026-11-004710", "C-2026-11-004713"]),
            ("form-1", ["form-2", "form-0", "form-3"]),
            ("99-DE", ["100-DE", "98-DE", "101-DE"]),
        ],
    )
    def test_takes_the_nearest_numbers_first(self, case_id: str, nearest: list[str]) -> None:
        assert look_alikes(case_id, b"s", "rita")[:3] == nearest

    def test_finds_none_for_an_id_without_anything_to_change(self) -> None:
        assert look_alikes("–", b"s", "rita") == []

    @pytest.mark.parametrize(
        ("shown", "renamed_to"),
        [
            ({"g-0001": ["See g-0001.", 7, None]}, {"g-0815": ["See g-0815.", 7, None]}),
            ("g-0001_page-1.png (g-0001/2)", "g-0815_page-1.png (g-0815/2)"),
            ("g-00012, xg-0001", "g-00012, xg-0001"),
            ("data:image/png;base64,g-0001/AAAA", "data:image/png;base64,g-0001/AAAA"),
        ],
    )
    def test_puts_the_new_id_wherever_the_old_one_stands_by_itself(self, shown: Any, renamed_to: Any) -> None:
        assert renamed(shown, "g-0001", "g-0815") == renamed_to

    @pytest.mark.parametrize(
        ("shown", "renamed_to"),
        [
            ({"id": 1042, "pages": 3, "paid": True}, {"id": 1043, "pages": 3, "paid": True}),
            ({"caseId": 1042, "case_nos": [1042, 7]}, {"caseId": 1043, "case_nos": [1043, 7]}),
            ({"amount": 1042, "paid": 1042, "order": "1042"}, {"amount": 1042, "paid": 1042, "order": "1043"}),
            (1042, 1042),
            ("Case 1042, as 1042.", "Case 1043, as 1043."),
            ("Total 1042.00, or 3.1042, or 1042,50, or 91042", "Total 1042.00, or 3.1042, or 1042,50, or 91042"),
            (1042.0, 1042.0),
        ],
    )
    def test_knows_an_id_that_is_a_number_from_an_amount(self, shown: Any, renamed_to: Any) -> None:
        assert renamed(shown, "1042", "1043") == renamed_to
        assert renamed({"id": 1042}, "1042", "w-17") == {"id": "w-17"}, "as the agent's other cases have it"
        assert renamed("a case", "a", "b") == "a case", "so short an id may stand there by chance"

    @pytest.mark.parametrize(
        ("shown", "betrayed"),
        [
            ("https://dms/scans/1042.pdf", True),
            ({"scan": ["/scans/1042.pdf"]}, True),
            ("claims+1042@example.org", True),
            ("Scan:/scans/1042.pdf (a/1042)", False),
            ({"scan1042": 1}, True),
            ("Case 1042 of https://dms/scans/77.pdf", False),
            ("Total 1042.00", False),
            ("data:image/png;base64,a1042/AAAA", False),
            ({"id": 1042, "name": "1042"}, False),
        ],
    )
    def test_tells_where_the_id_stands_and_no_other_can(self, shown: Any, betrayed: bool) -> None:
        assert betrays(shown, "1042") is betrayed

    @pytest.mark.parametrize("shown", ["1042-" * 40_000, "請求書" * 60_000 + "-1042-"], ids=["often", "once"])
    def test_tells_it_of_a_long_text_without_spaces_in_no_time(self, shown: str) -> None:
        assert not betrays(shown, "1042")
        assert betrays(shown + "@", "1042")

    def test_comes_a_moment_before_the_case_that_it_goes_before(self) -> None:
        moment = datetime(2026, 11, 2, 9, tzinfo=UTC)
        before = {a_moment_before(moment, item) for item in ITEMS[:200]}

        assert len(before) == 200
        assert all(0 < (moment - one).total_seconds() < 3.1 for one in before)

    def test_has_an_id_of_its_time(self) -> None:
        moment = datetime(2026, 11, 2, 9, 0, 0, 123_000, tzinfo=UTC)
        made = id_at(moment)

        assert (made.version, made.variant, made.int >> 80) == (7, new_id().variant, int(moment.timestamp() * 1000))
