"""What a script reads of kernels: a connection's own numbers, a host's counters, their defaults."""

import pytest

from fourtuple.errors import CallFailed
from fourtuple.lab.hosts.gauges import TcpInfo, counters, kernel_defaults, tcp_info
from fourtuple.lab.hosts.recorded_socket import errno_symbol
from fourtuple.lab.script import Lab
from lab.running import failures, held, run_script, talk

kernel = pytest.mark.kernel


@kernel
@pytest.mark.parametrize("family", [4, 6])
def test_a_connections_numbers_are_those_of_the_wire(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False)
        sock, _ = talk(lab, client, server, 3000)
        info = tcp_info(sock)
        lab.expect(info.snd_mss, lab.payload_per_segment, "bytes in a segment")
        lab.expect(info.bytes_acked, 3001, "numbers acknowledged: the SYN has one")
        lab.expect(info.data_segs_out, len(lab.segments(payload=True)), "segments with data")
        lab.expect(info.unacked, 0, "segments on the way")
        lab.expect(info.pmtu, 1500, "the path's MTU")
        lab.expect([info.send_scale, info.receive_scale], [7, 7], "window scales")

    held(run_script(script, family=family))


@kernel
def test_the_last_field_is_the_peers_window() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        sock, _ = talk(lab, client, server, 100)
        last = lab.segments(sent_by=server)[-1]
        lab.expect(tcp_info(sock)._asdict().popitem(), ("snd_wnd", int(last.window)), "its window")

    held(run_script(script))


@kernel
def test_what_has_no_such_numbers_says_so() -> None:
    def script(lab: Lab) -> None:
        client, _ = lab.pair()
        with pytest.raises(CallFailed):
            tcp_info(client.socket("datagram"))

    held(run_script(script))


@kernel
def test_counters_are_the_hosts_own() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.expect(counters(client)["TcpActiveOpens"], 0, "connections asked for, at first")
        talk(lab, client, server, 100)
        found = [counters(host)["TcpActiveOpens"] for host in (client, server)]
        lab.expect(found, [1, 0], "connections asked for")
        lab.expect(counters(client)["TcpExtTCPOrigDataSent"], 1, "segments with new data")
        lab.expect(counters(client)["Ip6OutRequests"] >= 0, True, "IPv6 has its counters too")

    held(run_script(script))


@kernel
def test_defaults_are_the_kernels_whatever_the_hosts_have() -> None:
    def script(lab: Lab) -> None:
        lab.pair(sysctls={"net.ipv4.tcp_keepalive_time": 60})
        lab.expect(kernel_defaults("net.ipv4.tcp_keepalive_time"), [7200], "the kernel's own")

    held(run_script(script))


@kernel
def test_waiting_in_vain_ends_with_the_scripts_own_words() -> None:
    def script(lab: Lab) -> None:
        lab.until(lambda: False, "{season} has not come.", season="spring")

    assert failures(run_script(script, limit_s=3)) == ["spring has not come."]


@kernel
@pytest.mark.parametrize("family", [4, 6])
def test_packets_are_what_programs_sent_and_not_what_kernels_say_by_themselves(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        receiver = server.socket("datagram").bind(8888)
        client.socket("datagram").send_to(b"hello", server, 8888)
        lab.expect(receiver.recv_from(), b"hello", "what came")
        lab.settle()
        lab.expect([one.packet.payload for one in lab.packets()], [b"hello"], "packets")
        lab.expect(lab.packets(sent_by=server), [], "packets of the server")

    held(run_script(script, family=family))


def test_fields_are_in_the_kernels_order() -> None:
    assert TcpInfo._fields[:3] == ("state", "ca_state", "retransmits")
    assert TcpInfo._fields[-3:] == ("reord_seen", "rcv_ooopack", "snd_wnd")


def test_an_error_has_the_name_of_the_manual() -> None:
    assert [errno_symbol(number) for number in (95, 111, 11, 9999)] == [
        "EOPNOTSUPP",
        "ECONNREFUSED",
        "EAGAIN",
        "9999",
    ]
