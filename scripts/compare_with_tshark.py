"""What fourtuple and tshark say of every connection of a capture, and by what name they differ.

    python scripts/compare_with_tshark.py [CAPTURE...]

Without a capture: the benchmark's, a million packets (made at the first call, see
bench/support/capture.py). tshark takes a minute of CPU for it. Ends with status 1 where
both differ in anything that docs/explanation/differences-from-tshark.md does not explain, or agree
on less than 99.5 % of the connections, or on less than 97 % of those with a word of loss.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from support.capture import million  # noqa: E402

from oracle.comparison import compare  # noqa: E402

AGREE, AGREE_LOSSY = 0.995, 0.97


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("captures", metavar="CAPTURE", nargs="*", type=Path)
    failed = False
    for path in parser.parse_args().captures or [million()]:
        found = compare(path)
        print(path.name)
        print(found.table())
        for pair in found.unexplained[:20]:
            print(f"  {pair.any['client']} {pair.any['server']} {pair.differ}")
        every, lossy = found.agreement
        failed |= bool(found.unexplained) or every < AGREE or lossy < AGREE_LOSSY
    return failed


if __name__ == "__main__":
    sys.exit(main())
