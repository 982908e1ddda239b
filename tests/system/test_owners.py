"""Who holds which sockets: of this process and its children, which may always be looked into."""

import os
import socket

from fourtuple.system.owners import Owner, Owners, command_of, look_for_owners, owners_of


def test_every_holder_of_a_socket_is_named_whoever_made_it() -> None:
    reading, writing = os.pipe()
    with socket.socket() as one, socket.socket() as other:
        inodes = [os.fstat(sock.fileno()).st_ino for sock in (one, other)]
        twice = os.dup(one.fileno())
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        here = command_of(os.getpid())
        found = owners_of([*inodes, 2**31 + 1])
        os.close(writing)
        os.waitpid(child, 0)
        os.close(reading)
        assert set(found[inodes[0]]) >= {
            Owner(os.getpid(), one.fileno(), here), Owner(os.getpid(), twice, here),
            Owner(child, one.fileno(), here), Owner(child, twice, here),
        }  # fmt: skip
        assert {(held.pid, held.fd) for held in found[inodes[1]]} >= {
            (os.getpid(), other.fileno()), (child, other.fileno()),
        }  # fmt: skip
        assert found[2**31 + 1] == []
        os.close(twice)


def test_where_all_are_asked_for_those_of_one_are_among_them() -> None:
    with socket.socket() as sock:
        inode = os.fstat(sock.fileno()).st_ino
        owners = look_for_owners(None).owners
        assert Owner(os.getpid(), sock.fileno(), command_of(os.getpid())) in owners[inode]
        assert owners.unknown({inode, 2**31 + 1}) == {2**31 + 1}


def test_a_holder_that_comes_later_is_one_more() -> None:
    owners = Owners()
    owners.add(1, "a", [(10, 3), (11, 4)])
    owners.add(2, "b", [(12, 2**30), (13, 5), (13, 6)])
    owners.add(3, "c", [(10, 7), (13, 8), (14, 9)])
    assert dict(owners) == {
        10: (Owner(1, 3, "a"), Owner(3, 7, "c")),
        11: (Owner(1, 4, "a"),),
        12: (Owner(2, 2**30, "b"),),
        13: (Owner(2, 5, "b"), Owner(2, 6, "b"), Owner(3, 8, "c")),
        14: (Owner(3, 9, "c"),),
    }
    assert (len(owners), 15 in owners, owners.get(15)) == (5, False, None)
