"""Which frames count, where the lab has seen them at several vantage points."""

from fourtuple.analyze import connections
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import AS_LEFT, WIRE, Verdict, at_host
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, PSH, SYN, Ethernet, Ipv4, Tcp, frame

CABLE, LEFT, CLIENT = 0, 1, 2
VANTAGES = (Vantage(WIRE), Vantage(AS_LEFT), Vantage(at_host("client")))


class Lines:
    """Segments of the client 10.0.0.1:40000, as they are seen in turn, 1 us apart."""

    def __init__(self) -> None:
        self.now = 1000
        self._builder = FrameTableBuilder()

    def seen(
        self, at: int, flags: int, seq: int, size: int = 0, *, port: int = 80, verdict: int = 1
    ) -> None:
        """Something that entered leaves 500 ns later; what is no cable's is at that time."""
        self.now += 1000
        self.again(at, flags, seq, size, port=port, verdict=verdict, t_ns=self.now)

    def again(
        self, at: int, flags: int, seq: int, size: int, *, t_ns: int, port: int = 80, verdict: int
    ) -> None:
        header = Tcp(40000, port, seq, 0, flags=flags)
        data = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), header, b"x" * size)
        left = t_ns if at != CABLE else t_ns + 500
        self._builder.add(data, t_ns, left_ns=left, vantage=at, verdict=verdict)

    def rewritten(self, flags: int, seq: int, size: int, left: tuple[int, int, int, int]) -> None:
        """It enters so, and leaves with these flags, number, size and port."""
        self.seen(CABLE, flags, seq, size, verdict=Verdict.REWRITTEN)
        flags, seq, size, port = left
        rewritten = Verdict.REWRITTEN
        self.again(LEFT, flags, seq, size, port=port, verdict=rewritten, t_ns=self.now + 500)

    def timeline(self, complete: bool = True) -> Timeline:
        return Timeline(VANTAGES, self._builder.table(), complete=complete)


def test_what_a_capture_at_a_host_shows_counts_only_where_it_is_asked_for() -> None:
    lines = Lines()
    lines.seen(CLIENT, SYN, 100, verdict=Verdict.CAPTURED)
    lines.seen(CABLE, SYN, 100)
    lines.seen(CLIENT, PSH | ACK, 101, 2934, verdict=Verdict.CAPTURED)
    for seq, size in ((101, 1460), (1561, 1460), (3021, 14)):
        lines.seen(CABLE, ACK, seq, size)
    timeline = lines.timeline()
    (connection,) = connections(timeline)
    assert [s.length for s in connection.segments] == [0, 1460, 1460, 14]
    (there,) = connections(timeline, vantage="at client")
    assert [(s.frame, s.length) for s in there.segments] == [(1, 0), (3, 2934)]


def test_names_of_vantage_points_mean_nothing_in_a_capture() -> None:
    lines = Lines()
    lines.seen(CLIENT, SYN, 100)
    (connection,) = connections(lines.timeline(complete=False))
    assert connection.frames == (1,)


def test_a_rewritten_segment_was_sent_as_it_entered_and_arrived_as_it_left() -> None:
    lines = Lines()
    lines.seen(CABLE, SYN, 100)
    lines.rewritten(PSH | ACK, 101, 10, (FIN | ACK, 101, 10, 80))
    (connection,) = connections(lines.timeline())
    (_, segment) = connection.segments
    assert (segment.flags, segment.as_left, segment.arrived) == (PSH | ACK, 3, True)
    assert [c.new for c in connection.changes if not c.of_client][-1] == "CLOSE_WAIT"
    assert [c.new for c in connection.changes if c.of_client][-1] == "ESTABLISHED"


def test_what_left_for_another_port_did_not_arrive_at_this_one() -> None:
    lines = Lines()
    lines.seen(CABLE, SYN, 100)
    lines.rewritten(PSH | ACK, 101, 10, (PSH | ACK, 101, 10, 81))
    (connection,) = connections(lines.timeline())
    assert [s.arrived for s in connection.segments] == [True, False]
