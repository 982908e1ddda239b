"""A web server over plain sockets, and how a page comes to be shown (rows A14, B4)."""

import socket
import struct
import threading

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.programs import RunningProgram
from fourtuple.lab.needs import program_path
from fourtuple.lab.script import Lab
from fourtuple.wire import Packet, flag_names

PAGE = b"<h1>Hello, world!</h1>\n"
NAME = "www.example.test"
BROWSER_CALLS = ["socket", "sendto", "recvfrom", "close"]
BROWSER_CALLS += ["socket", "connect", "sendall", "recv", "recv", "close"]
#: DNS: identity, flags, and how many questions, answers and two sorts more (RFC 1035, 4.1.1)
_DNS_HEAD = struct.Struct("!6H")
_ASKED, _ANSWERED, _NO_SUCH_NAME = 0x0100, 0x8180, 0x8183
#: types of records: an IPv4 address (RFC 1035), an IPv6 address (RFC 3596)
_A, _AAAA = 1, 28


def web_server(address: str, port: int, thread_each: bool) -> None:
    """It answers GET / with a page and all else with 404, and closes after each answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as listener:
        while True:
            sock, _ = listener.accept()
            if thread_each:
                threading.Thread(target=answer_request, args=(sock,), daemon=True).start()
            else:
                answer_request(sock)


def answer_request(sock: socket.socket) -> None:
    with sock:
        request = b""
        while b"\r\n\r\n" not in request:
            part = sock.recv(4096)
            if not part:
                return
            request += part
        found = request.startswith(b"GET / ")
        status, body = (b"200 OK", PAGE) if found else (b"404 Not Found", b"No such page.\n")
        sock.sendall(
            b"HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s" % (status, len(body), body)
        )


@experiment(
    covers="A14",
    question="What does a web server have to do, over plain sockets?",
    background=(
        "Read the request up to the empty line, take the path from its first line, send a status "
        "line, headers, an empty line and the page (RFC 9112). A browser may open a connection "
        "before it needs one: with a thread for each, that one keeps nobody waiting."
    ),
    try_next=(
        N_("Leave Content-Length out and the connection open: when does curl stop waiting?"),
        N_("Send the headers and the page by two calls: lab run write-write-read"),
    ),
    tags="http programs",
    needs="curl",
    mutation=Mutation(N_("one thread serves all"), values={"thread_each": False, "patience_s": 1}),
)
def web_server_and_curl(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    server.run(web_server, server.address, 8888, lab.value("thread_each", True))
    lab.settle()
    client.socket().connect(server, 8888)
    lab.settle()
    for path, status, body in (
        ("/", "HTTP/1.1 200 OK", PAGE.decode()),
        ("/missing", "HTTP/1.1 404 Not Found", "No such page.\n"),
    ):
        fetching = _curl(lab, client, server, path)
        lab.expect(fetching.wait(), 0, "GET {path}: curl's exit status", path=path)
        head, _, shown = fetching.output.replace("\r\n", "\n").partition("\n\n")
        lab.expect(head.split("\n")[0], status, "GET {path}: the status line", path=path)
        lab.expect(shown, body, "GET {path}: what curl shows", path=path)
        lab.settle()
    syns = lab.segments(flags="SYN")
    lab.expect(len(syns), 3, "connections: one that stays silent, and one for each request")
    left = [row.state for row in lab.sockets(client) if row.state == "ESTABLISHED"]
    lab.expect(
        len(left), 1, "connections afterwards: each answer ended its own, the silent one is left"
    )
    lab.claim(
        "an unknown path ends the connection without an answer",
        False,
        "it was answered with 404, and closed as after a page",
        source="A",
        evidence=lab.segments(sent_by=server, payload=True).frames[1:],
    )


def _curl(lab: Lab, client: Host, server: Host, path: str) -> RunningProgram:
    where = f"[{server.address}]" if lab.family == 6 else server.address
    patience = str(lab.value("patience_s", 20))
    plainly = [program_path("curl"), "-q", "--noproxy", "*", "--max-time", patience]
    return client.run([*plainly, "--silent", "--include", f"http://{where}:8888{path}"])


def name_server(address: str, web_address: str) -> None:
    """It knows one name (RFC 1035, section 4)."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:  # fmt: skip
        sock.bind((address, 53))
        while True:
            query, client = sock.recvfrom(512)
            identity = _DNS_HEAD.unpack_from(query)[0]
            question = query[_DNS_HEAD.size :]
            if not question.startswith(in_labels(NAME)):
                sock.sendto(_DNS_HEAD.pack(identity, _NO_SUCH_NAME, 1, 0, 0, 0) + question, client)
                continue
            kind, family = (_AAAA, socket.AF_INET6) if ":" in web_address else (_A, socket.AF_INET)
            data = socket.inet_pton(family, web_address)
            # the name again: a pointer to byte 12; class IN, 60 s
            record = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
            head = _DNS_HEAD.pack(identity, _ANSWERED, 1, 1, 0, 0)
            sock.sendto(head + question + record, client)


def in_labels(name: str) -> bytes:
    """A name as DNS writes it: each part after its length, and an empty one at the end."""
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def browser(name: str, name_server: str) -> None:
    """Look a name up, fetch the page from the address, print it."""
    family, kind = (socket.AF_INET6, _AAAA) if ":" in name_server else (socket.AF_INET, _A)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        question = in_labels(name) + struct.pack("!HH", kind, 1)
        sock.sendto(_DNS_HEAD.pack(7, _ASKED, 1, 0, 0, 0) + question, (name_server, 53))
        reply = sock.recvfrom(512)[0]
    if _DNS_HEAD.unpack_from(reply)[3] == 0:
        print("no such name")
        return
    size = 16 if kind == _AAAA else 4
    address = socket.inet_ntop(family, reply[-size:])
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.connect((address, 80))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name.encode())
        page = b""
        while part := sock.recv(4096):
            page += part
    print(page.partition(b"\r\n\r\n")[2].decode(), end="")


@experiment(
    covers="B4",
    question="What happens between a typed address and the page that is shown?",
    background=(
        "http://www.example.test/ names a host, not an address: a name server is asked first, over "
        "UDP (RFC 1035). Then TCP's handshake with port 80 of that address, since none was typed; "
        "then the request, the answer, and the close (RFC 9112)."
    ),
    try_next=(
        N_("Ask for a name that nobody knows: what is sent then?"),
        N_("See the same in your own system: curl -v --trace-time, and tcpdump port 53 or port 80"),
    ),
    tags="http programs udp",
    mutation=Mutation(N_("the name is unknown"), values={"name": "www.nowhere.test"}),
)
def page(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    names = server.add_address(53)
    server.run(name_server, names, server.address)
    server.run(web_server, server.address, 80, True)
    lab.settle()
    begin = len(lab.packets())
    surfing = client.run(browser, lab.value("name", NAME), names)
    lab.expect(surfing.wait(), 0, "the browser's exit status")
    lab.settle()
    lab.expect(surfing.output, PAGE.decode(), "what it shows")

    seen = lab.packets()[begin:]
    steps = [_step(one.packet) for one in seen]
    frames = [one.number for one in seen]
    lab.expect(
        steps[:6],
        ["name query", "name answer", "SYN", "SYN ACK", "ACK", "request"],
        "the first packets, in order",
        evidence=frames[:6],
    )
    lab.expect(steps.count("page"), 1, "segments with the page: it is a small one")
    syn, request, answer = (frames[steps.index(word)] for word in ("SYN", "request", "page"))
    lab.expect(seen[1].packet.payload.endswith(_address_in(seen[2].packet)), True,
               "the SYN goes to the address in the name server's answer",
               evidence=[frames[1], syn])  # fmt: skip
    lab.expect(request < answer, True, "the request comes before the page",
               evidence=[request, answer])  # fmt: skip
    fins = [segment.from_client for segment in lab.segments() if "FIN" in segment.flags]
    lab.expect(fins, [False, True], "who sends FIN: the server first, for the page is complete")
    lab.expect(_calls_of_the_browser(lab), BROWSER_CALLS, "the browser's calls, in order")
    lab.claim(
        "fetching a page begins with a TCP connection",
        "whether the address is known: a name has to be looked up first, over UDP",
        "the first SYN is the third packet, after the name server's answer",
        source="B",
        evidence=frames[:3],
    )


def _calls_of_the_browser(lab: Lab) -> list[str]:
    return [call.name for call in lab.timeline().of(Call) if call.program == "browser"]


def _step(packet: Packet) -> str:
    """What a packet is in the course of things."""
    if packet.udp is not None:
        return "name query" if packet.udp.destination_port == 53 else "name answer"
    assert packet.tcp is not None
    if not packet.payload:
        return flag_names(packet.tcp.flags)
    return "request" if packet.tcp.destination_port == 80 else "page"


def _address_in(packet: Packet) -> bytes:
    """The destination of a packet, as it stands in a record of DNS."""
    assert packet.ip is not None
    family = socket.AF_INET6 if ":" in packet.ip.destination else socket.AF_INET
    return socket.inet_pton(family, packet.ip.destination)
