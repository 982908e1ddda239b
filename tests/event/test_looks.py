"""A table is written as what changed; read back, it is the table."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.event.looks import Look, LookReader, LookWriter, changes
from fourtuple.event.model import Endpoint, Snapshot, SocketRow

SERVER = Endpoint("10.77.0.2", 8888)


def row(port: int, state: str = "ESTABLISHED") -> SocketRow:
    return SocketRow("tcp", SERVER, Endpoint("10.77.0.1", port), state, 0, 0, port, port, 0)


def snapshot(*rows: SocketRow, host: str = "server", t_ns: int = 1) -> Snapshot:
    return Snapshot(t_ns=t_ns, end_ns=t_ns, host=host, cause="call", sockets=rows)


#: a few rows that come, change and go, as the same objects: what an observer sees
POOL = tuple(row(port, state) for port in range(5) for state in ("SYN_RECV", "ESTABLISHED"))
tables = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        st.lists(st.sampled_from(POOL), max_size=6, unique=True),
    ),
    max_size=12,
).map(lambda drawn: [snapshot(*rows, host=host, t_ns=at) for at, (host, rows) in enumerate(drawn)])


def looks_of(snapshots: list[Snapshot]) -> list[Look]:
    """As they come back from a file."""
    writer = LookWriter()
    decoder = msgspec.msgpack.Decoder(Look)
    return [decoder.decode(msgspec.msgpack.encode(writer.look(one))) for one in snapshots]


@given(tables)
def test_what_is_read_is_what_was_written(written: list[Snapshot]) -> None:
    reader = LookReader()
    assert [reader.snapshot(look) for look in looks_of(written)] == written


@given(tables, st.integers(0, 11))
def test_what_follows_a_lost_look_is_lost_until_a_whole_one_and_nothing_is_wrong(
    written: list[Snapshot], lost: int
) -> None:
    reader = LookReader()
    kept = list(zip(looks_of(written), written, strict=True))
    del kept[lost : lost + 1]
    read = [(reader.snapshot(look), one) for look, one in kept]
    assert all(found in (None, one) for found, one in read)
    host = written[lost].host if lost < len(written) else ""
    assert all(found == one for found, one in read if one.host != host)


@given(tables)
def test_what_is_written_depends_on_values_alone(written: list[Snapshot]) -> None:
    """Not on which equal rows are one object."""
    copies = [msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Snapshot) for one in written]
    assert looks_of(copies) == looks_of(written)


def test_a_table_that_stays_is_written_once() -> None:
    rows = tuple(row(port) for port in range(1000))
    looks = looks_of([snapshot(*rows)] * 100)
    sizes = [len(msgspec.msgpack.encode(look)) for look in looks]
    assert sizes[0] > 20_000
    assert max(sizes[1:]) < 120
    reader = LookReader()
    tables = [reader.snapshot(look) for look in looks]
    assert all(one is not None and one.sockets is tables[0].sockets for one in tables)  # type: ignore[union-attr]


def test_one_row_that_changes_among_many_is_written_alone() -> None:
    rows = [row(port) for port in range(1000)]
    changed = [*rows[:500], row(500, "CLOSE_WAIT"), *rows[501:]]
    _, second = looks_of([snapshot(*rows), snapshot(*changed)])
    assert second.parts == ((0, 500, (changed[500],)), (501, 499, ()))


def test_so_much_change_makes_a_look_whole_again() -> None:
    looks = looks_of([snapshot(row(1, f"state {number}")) for number in range(200)])
    assert sum(look.whole for look in looks) == 200 // (64 + 4) + 1


def test_hostile_looks_are_none_and_cost_no_memory() -> None:
    def look(number: int, *parts: tuple[int, int, tuple[SocketRow, ...]]) -> Look:
        return Look(t_ns=1, end_ns=1, host="h", cause="x", number=number, parts=parts)

    whole = Look(
        t_ns=1, end_ns=1, host="h", cause="x", number=0, whole=True, parts=((0, 0, (row(1),)),)
    )
    for odd in (((0, 2, ()),), ((-1, 1, ()),), ((0, -1, ()),), ((0, 1, ()),) * 2):
        reader = LookReader()
        assert reader.snapshot(whole) is not None
        assert reader.snapshot(look(1, *odd)) is None
    assert LookReader().snapshot(look(0)) is None


def test_changes_are_what_came_and_what_went_at_each_host() -> None:
    one, two, same = row(1), row(2), row(1)
    told = [
        (changed.gone, changed.new)
        for changed in changes(
            [
                snapshot(one),
                snapshot(two, host="client"),
                snapshot(one, two),
                snapshot(same, two),
                snapshot(two),
            ]
        )
    ]
    assert told == [((), (one,)), ((), (two,)), ((), (two,)), ((), ()), ((one,), ())]


@given(tables)
def test_changes_added_up_are_the_tables(written: list[Snapshot]) -> None:
    state: dict[str, set[SocketRow]] = {}
    for changed in changes(written):
        held = state.setdefault(changed.snapshot.host, set())
        assert held >= set(changed.gone)
        assert not held & set(changed.new)
        held -= set(changed.gone)
        held |= set(changed.new)
        assert held == set(changed.snapshot.sockets)
