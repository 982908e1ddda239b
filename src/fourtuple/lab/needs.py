"""What an experiment needs beyond the lab itself, and what this machine lacks of it.

A need is the key of a capability (`fourtuple doctor`), the name of a program that a host runs, or a
file of /proc by which a kernel shows that it has something.
"""

import os
import shutil
from collections.abc import Iterator

from fourtuple.errors import N_, CapabilityMissing
from fourtuple.lab.experiment import Experiment
from fourtuple.system.capabilities import capabilities

__all__ = ["lacking", "program_path"]

#: where Debian keeps nft and ip; an ordinary user's PATH may lack them
_SYSTEM_PATH = ":/usr/sbin:/sbin"
#: program -> the package that has it, where the names differ
_PACKAGES = {"nft": "nftables", "ip": "iproute2", "ss": "iproute2"}

NO_PROGRAM = N_("The program {program} is not installed.")
INSTALL = N_("Install it: sudo apt install {package}")
NO_FILE = N_("This kernel has no {path}.")
OTHER_KERNEL = N_("Boot a kernel that was built with it.")


def lacking(experiment: Experiment) -> Iterator[CapabilityMissing]:
    """What the experiment needs and this machine does not have, with the remedy."""
    known = {one.key: one for one in capabilities()}
    for need in experiment.needs:
        if need.startswith("/"):
            if not os.path.exists(need):
                yield CapabilityMissing(NO_FILE, OTHER_KERNEL, {"path": need})
        elif need not in known:
            try:
                program_path(need)
            except CapabilityMissing as missing:
                yield missing
        elif known[need].answer == "no":
            one = known[need]
            yield CapabilityMissing(one.detail, one.remedy, one.params)


def program_path(name: str) -> str:
    """Where a program is; CapabilityMissing where it is not installed."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + _SYSTEM_PATH)
    if found is None:
        named = {"program": name, "package": _PACKAGES.get(name, name)}
        raise CapabilityMissing(NO_PROGRAM, INSTALL, named)
    return found
