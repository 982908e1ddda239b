"""The kernel's own word beside what the frames say of an RST."""

import pytest

from fourtuple.analyze.resets.told import judged


@pytest.mark.parametrize(
    ("word", "seen", "judgement"),
    [
        ("TCP_ABORT_ON_CLOSE", ("linger-zero", "likely"), ("unread-data", "certain")),
        ("TCP_ABORT_ON_DATA", ("undetermined", "undetermined"), ("data-after-close", "certain")),
        ("TCP_KEEPALIVE_TIMEOUT", ("user-timeout", "likely"), ("user-timeout", "certain")),
        ("TCP_KEEPALIVE_TIMEOUT", ("firewall", "likely"), ("keepalive-timeout", "certain")),
        ("NO_SOCKET", ("port-closed", "likely"), ("port-closed", "certain")),
        ("NO_SOCKET", ("data-after-close", "likely"), ("data-after-close", "likely")),
        ("TCP_STATE", ("unread-data", "likely"), ("linger-zero", "likely")),
        ("TCP_STATE", ("listener-closed", "likely"), ("listener-closed", "likely")),
        ("A_WORD_OF_TOMORROW", ("unread-data", "likely"), ("unread-data", "likely")),
        (None, ("unread-data", "likely"), ("unread-data", "likely")),
    ],
)
def test_what_the_word_leaves(
    word: str | None, seen: tuple[str, str], judgement: tuple[str, str]
) -> None:
    assert judged(word, *seen) == judgement
