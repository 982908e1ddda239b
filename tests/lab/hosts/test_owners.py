"""A socket's owner is found by its inode; what nobody holds has none."""

import pytest

from fourtuple.lab.hosts.owners import Owner, owners
from fourtuple.lab.script import Lab
from lab.running import held, run_script

pytestmark = pytest.mark.kernel


def test_the_program_that_holds_a_socket_is_its_owner_until_it_closes_it() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        programs = [server.program(name) for name in ("first", "second")]
        listeners = [one.socket().listen(8000 + at) for at, one in enumerate(programs)]
        rows = lab.sockets(server, listening=True)
        by_port = {row.local.port: row.inode for row in rows}
        for at, (program, listener) in enumerate(zip(programs, listeners, strict=True)):
            fd = listener.call("fileno").result()
            found = owners(server, by_port[8000 + at])
            lab.expect(found, [Owner(program.name, program.pid, fd)], "its owner")
            lab.expect(owners(client, by_port[8000 + at]), [], "owners at the other host")
        listeners[0].close()
        lab.expect(owners(server, by_port[8000]), [], "owners of what was closed")
        programs[1].kill()
        lab.settle()
        lab.expect(owners(server, by_port[8001]), [], "owners when the program was killed")

    held(run_script(script))


def test_a_connection_that_waits_for_accept_has_no_owner() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        server.socket().listen(8888)
        client.socket().connect(server, 8888)
        lab.settle()
        lab.expect(owners(server, lab.connection(server).inode), [], "its owners")

    held(run_script(script))
