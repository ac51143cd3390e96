from ipaddress import ip_address

import pytest

from routing.delivery.courier import is_public, objection


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  # noqa: S104
        "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public_in_whatever_clothes(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_out_in_the_world_is(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/hook", "not https"),
        ("https://user:pw@example.com/hook", "user name"),
        ("https://user@example.com/hook", "user name"),
        ("https://127.0.0.1/hook", "private network"),
        ("https://[::1]/hook", "private network"),
        ("https://169.254.169.254/latest", "private network"),
        ("ftp://example.com/", "no web address"),
        ("nonsense", "no web address"),
        ("https:///path", "no web address"),
        ("https://[::1", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(url: str, words: str) -> None:
    assert words in (objection(url, allow_private=False) or "")


def test_a_public_https_address_is_fine() -> None:
    assert objection("https://example.com:8443/hook?x=1", allow_private=False) is None


def test_where_private_ones_are_allowed_only_credentials_and_nonsense_are_refused() -> None:
    assert objection("http://127.0.0.1:8080/hook", allow_private=True) is None
    assert "user name" in (objection("http://user@127.0.0.1/", allow_private=True) or "")
    assert "no web address" in (objection("nonsense", allow_private=True) or "")
