"""What every host of the lab is set to, and what an experiment may ask for beside that."""

import pytest

from fourtuple.lab.hosts.baseline import PATIENT, apply_sysctls
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack
from lab.running import held, run_script

pytestmark = pytest.mark.kernel


def test_a_patient_sender_sends_nothing_again_for_a_while() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(sysctls=PATIENT)
        sock, _ = lab.connected(client, server)
        ack = lab.wire.hold(pure_ack.sent_by(server))
        sock.send(b"one")
        lab.settle(unanswered=True)
        row = lab.connection(client)
        lab.expect(row.timer, "retransmit", "the timer that runs")
        lab.expect(
            row.timer_ms > 1_000, True, "and it has long to go: without patience a second at most"
        )
        ack.stop()
        lab.settle()

    held(run_script(script))


def test_a_setting_that_no_kernel_has_is_named() -> None:
    with pytest.raises(OSError, match=r"net\.ipv4\.tcp_no_such = 1: No such file"):
        apply_sysctls({"net.ipv4.tcp_no_such": 1})
