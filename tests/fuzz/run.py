"""Look for bytes of which tests/fuzz/harness.py does not hold, with atheris: coverage leads it.

    python tests/fuzz/run.py any_file|any_segments SECONDS [DIRECTORY]

DIRECTORY keeps what reached new code from one run to the next; a failure is written beside it.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["fourtuple"]):
    from fuzz import harness


def main() -> None:
    name, seconds, *directory = sys.argv[1:]
    limits = [f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=20", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *limits, *directory], getattr(harness, name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
