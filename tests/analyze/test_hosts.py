"""Which host an address belongs to."""

import pytest

from fourtuple.analyze import host_of
from fourtuple.analyze.hosts import plain
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from story import exchange


def test_the_lab_says_whose_address_it_is():
    timeline = exchange().timeline()
    assert host_of(timeline, "10.77.0.1") == "client"
    assert host_of(timeline, "::ffff:10.77.0.2") == "server"
    assert host_of(timeline, "10.77.0.3") is None


@pytest.mark.parametrize("hosts", [None, "client", 7, {"client": None}, {"client": 5}])
def test_a_recording_may_hold_anything(hosts):
    assert host_of(Timeline(meta={"hosts": hosts}), "10.77.0.1") is None


def test_a_mapped_address_is_the_ipv4_address_that_it_maps():
    assert plain(Endpoint("::ffff:10.0.0.1", 5)) == Endpoint("10.0.0.1", 5)
    assert plain(Endpoint("::ffff:1", 5)) == Endpoint("::ffff:1", 5)
