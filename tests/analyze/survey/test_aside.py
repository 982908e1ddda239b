"""Work done aside: one piece after another, and what goes wrong is told."""

import threading

import pytest

from fourtuple.analyze.survey.aside import AHEAD, Aside


def test_pieces_are_done_in_order_by_one_other_thread_which_ends():
    aside, done = Aside(), list[tuple[int, int]]()
    for number in range(100):
        aside.do(lambda number=number: done.append((number, threading.get_ident())))
    aside.end()
    assert [number for number, _ in done] == list(range(100))
    (other,) = {thread for _, thread in done}
    assert other != threading.get_ident()
    assert other not in {thread.ident for thread in threading.enumerate()}


def test_who_asks_goes_on_while_pieces_are_under_way():
    aside, may_end = Aside(), threading.Event()
    for _ in range(AHEAD):
        aside.do(lambda: None if may_end.wait(60) else pytest.fail("nobody went on"))
    may_end.set()
    aside.wait()


@pytest.mark.parametrize("asking", [Aside.wait, Aside.end])
def test_what_went_wrong_is_told_to_who_waits_and_only_once(asking):
    aside = Aside()
    aside.do(lambda: [].pop())
    with pytest.raises(IndexError):
        asking(aside)
    aside.do(int)
    aside.end()


def test_what_went_wrong_is_told_to_who_asks_for_more():
    aside = Aside()
    with pytest.raises(IndexError):
        for _ in range(1 + AHEAD):
            aside.do(lambda: [].pop())


def test_without_work_there_is_nothing_to_wait_for():
    aside = Aside()
    aside.wait()
    aside.end()


def test_a_piece_that_is_done_is_forgotten():
    class Piece:
        def __call__(self):
            gone.append(False)

        def __del__(self):
            gone.append(True)

    gone = list[bool]()
    aside = Aside()
    aside.do(Piece())
    aside.wait()
    aside.do(int)  # by now the other thread has let go of it
    aside.end()
    assert gone == [False, True]
