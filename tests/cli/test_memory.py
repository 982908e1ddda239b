"""What a large capture is gone through with is used again, and not cleared by the system anew."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
from fourtuple.cli.memory import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(20 * 1024 * 1024)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_memory()
print(faults(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is another one")
def test_a_piece_that_was_given_up_serves_again():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    first, second = map(int, done.stdout.split())
    assert second * 10 < first
