"""The kernel lanes: the kernel's own word, or what frames imply."""

from fourtuple.analyze import connections
from fourtuple.event.model import Endpoint, State
from fourtuple.render.life import life_of
from fourtuple.render.states import changes, kernel_source
from render.scene import Scene
from story import Story, exchange, opened


def shown(story: Story, index: int = 0) -> list[tuple[str, str]]:
    timeline = story.timeline()
    found = connections(timeline)
    life = life_of(found[index], found)
    return [("client" if c.of_client else "server", c.state) for c in changes(timeline, life)]


def tell(story: Story, host: str, new: str, *, listener: bool = False) -> None:
    party = story.client if host == "client" else story.server
    ends = (party.endpoint, party.peer.endpoint)
    if listener:
        ends = (Endpoint("0.0.0.0", party.endpoint.port), Endpoint("0.0.0.0", 0))
    story.events.append(
        State(
            t_ns=story.now,
            host=host,
            local=ends[0],
            remote=ends[1],
            old="",
            new=new,
            source="sock_diag",
        )
    )


def test_without_the_kernels_word_states_are_inferred() -> None:
    story = exchange()
    timeline = story.timeline()
    found = connections(timeline)
    assert kernel_source(timeline, life_of(found[0], found)) == "inferred"
    assert ("client", "TIME_WAIT") in shown(story)


def test_the_kernels_word_replaces_inference_for_both_ends() -> None:
    story = opened()
    tell(story, "client", "ESTABLISHED")
    assert shown(story) == [("client", "ESTABLISHED")]


def test_the_listener_stands_in_the_servers_lane_at_first() -> None:
    story = Story()
    tell(story, "server", "LISTEN", listener=True)
    story.client.syn()
    tell(story, "server", "SYN_RECV")
    assert shown(story) == [("server", "LISTEN"), ("server", "SYN_RECV")]


def test_another_life_of_the_addresses_has_its_own_states() -> None:
    story = exchange()
    tell(story, "client", "TIME_WAIT")
    story.wait(1000)
    story.reborn()
    story.client.syn()
    tell(story, "client", "SYN_SENT")
    assert shown(story, 0) == [("client", "TIME_WAIT")]
    assert shown(story, 1) == [("client", "SYN_SENT")]


def test_a_capture_that_begins_late_shows_what_was_so_already() -> None:
    story = Story(complete=False)
    story.captured = False
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.captured = True
    story.client.send(10)
    assert ("client", "ESTABLISHED") in shown(story)


def test_the_source_is_named() -> None:
    timeline = Scene().exchange()
    found = connections(timeline)
    assert kernel_source(timeline, life_of(found[0], found)) == "sock_diag"
