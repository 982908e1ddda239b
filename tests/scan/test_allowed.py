"""Whom one may scan without saying more."""

import pytest

from fourtuple.scan.allowed import is_allowed, not_allowed


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "10.77.0.2", "172.16.0.1", "172.31.255.255", "192.168.1.1",
     "::1", "fd77::2", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_oneself_private_networks_and_the_lab_are_allowed(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "172.15.255.255", "192.169.0.1", "100.64.0.1", "224.0.0.1", "0.0.0.0",
     "255.255.255.255", "2001:db8::1", "ff02::1", "::", "::ffff:8.8.8.8", "169.254.1.1",
     "169.254.169.254", "fe80::1%eth0"],
)  # fmt: skip
def test_everybody_else_must_have_agreed(address: str) -> None:
    assert not is_allowed(address)
    assert not_allowed(["10.0.0.1", address]) == address


def test_nothing_is_missing_where_all_are_allowed() -> None:
    assert not_allowed(["127.0.0.1", "::1"]) == ""
