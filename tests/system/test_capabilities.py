"""What doctor says of a machine: of machines written down as data, and of real ones that a process
can turn its own into (a limit of 0, a chroot, a seccomp filter, a read-only /proc/sys)."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fourtuple.errors import CapabilityMissing
from fourtuple.system import capabilities as module
from fourtuple.system import trial
from fourtuple.system.capabilities import Capability, capabilities, judge, require_lab, works
from fourtuple.system.machine import Machine
from fourtuple.system.trial import try_namespaces

STEPS = ("user", "pid", "net", "veth", "packet", "offloads", "sysctl", "sock_diag", "ehash")
FORMAT = "name: tcp_send_reset\nformat:\n\tfield:int state;\toffset:24;\n"
WITH_REASON = FORMAT + "\tfield:enum sk_rst_reason reason;\toffset:28;\tsize:4;\n"

GOOD = Machine(
    system="Linux",
    release="6.18.0",
    python="3.11.7",
    encoding="utf-8",
    trial=dict.fromkeys(STEPS, 0),
    settings={"user/max_user_namespaces": 96365},
    privileges=frozenset({"net_raw", "net_admin", "sys_admin"}),
    tracefs="/sys/kernel/tracing",
    reset_format=WITH_REASON,
)


def failing(step: str, number: int, **changes: object) -> Machine:
    """GOOD, but for one step; a namespace that is refused ends the trial."""
    trial = dict.fromkeys(STEPS[: STEPS.index(step)], 0) | {step: number}
    if step not in ("user", "pid", "net"):
        trial = dict.fromkeys(STEPS, 0) | {step: number}
    return replace(GOOD, trial=trial, **changes)


def forbidden(step: str, setting: str, value: int) -> Machine:
    """An ordinary user's machine on which a setting forbids a namespace."""
    return failing(step, errno.EPERM, settings={setting: value}, privileges=frozenset())


def answer(machine: Machine, key: str) -> Capability:
    (found,) = (one for one in judge(machine) if one.key == key)
    return found


def words(one: Capability) -> str:
    return f"{one.detail} {one.remedy}".format_map(one.params)


def test_a_good_machine_answers_yes_to_everything() -> None:
    found = judge(GOOD)
    assert {one.answer for one in found} == {"yes"}
    assert not any(one.remedy for one in found)
    assert works("lab", found)
    assert works("trace", found)


APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"


@pytest.mark.parametrize(
    ("machine", "key", "told"),
    [
        (
            failing("user", errno.ENOSPC, settings={"user/max_user_namespaces": 0}),
            "user",
            "user.max_user_namespaces is 0. sudo sysctl -w user.max_user_namespaces=",
        ),
        (
            failing("user", errno.ENOSPC, settings={"user/max_user_namespaces": 7}),
            "user",
            "user.max_user_namespaces is 7, or they are nested too deep",
        ),
        (
            failing("net", errno.ENOSPC, settings={"user/max_net_namespaces": 0}),
            "net",
            "user.max_net_namespaces is 0.",
        ),
        (
            forbidden("user", "kernel/unprivileged_userns_clone", 0),
            "user",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            forbidden("user", APPARMOR, 1),
            "user",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (forbidden("net", APPARMOR, 1), "net", "AppArmor takes all privileges"),
        (failing("user", errno.ENOENT), "user", "sudo mount -t proc proc /proc"),
        (failing("user", errno.EPERM, filtered=True), "user", "seccomp=unconfined"),
        (failing("user", errno.EPERM), "user", "chroot"),
        (failing("user", errno.EINVAL), "user", "built without CONFIG_USER_NS"),
        (failing("pid", errno.EINVAL), "pid", "built without CONFIG_PID_NS"),
        (failing("net", errno.EIO), "net", "(net): Input/output error. Look for what forbids it"),
        (failing("veth", errno.EOPNOTSUPP), "veth", "sudo modprobe veth"),
        (failing("packet", errno.EAFNOSUPPORT), "packet", "sudo modprobe af_packet"),
        (failing("packet", errno.ENOPROTOOPT), "packet", "Linux 4.20"),
        (failing("sysctl", errno.EROFS), "sysctl", "systempaths=unconfined"),
        (failing("sock_diag", errno.ENOENT), "sock_diag", "sudo modprobe -a inet_diag"),
        (failing("offloads", errno.EOPNOTSUPP), "offloads", "Operation not supported"),
        (
            replace(GOOD, system="Darwin", trial={}),
            "linux",
            "this is Darwin. Run fourtuple on Linux",
        ),
    ],
)
def test_what_the_lab_lacks_is_named_with_its_remedy(
    machine: Machine, key: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = answer(machine, key)
    assert lacking.answer == "no"
    assert told in words(lacking)
    assert not works("lab", judge(machine))
    monkeypatch.setattr(module, "capabilities", lambda: judge(machine))
    with pytest.raises(CapabilityMissing) as caught:
        require_lab()
    assert caught.value.exit_status == 3
    assert told in str(caught.value).replace("\n", " ")


def test_root_is_not_told_of_settings_that_bind_only_others() -> None:
    machine = failing("user", errno.EPERM, settings={APPARMOR: 1}, filtered=True)
    assert "seccomp" in words(answer(machine, "user"))


def test_what_rests_on_a_refused_namespace_is_said_to_be_untried() -> None:
    machine = failing("user", errno.EPERM)
    for step in STEPS[1:]:
        assert answer(machine, step).answer == "no"
        assert "not tried" in words(answer(machine, step))


def test_a_shared_socket_hash_makes_the_lab_slower_and_no_more() -> None:
    machine = failing("ehash", errno.ENOENT)
    assert answer(machine, "ehash").answer == "partly"
    assert works("lab", judge(machine))


@pytest.mark.parametrize(
    ("tracefs", "reset_format", "expected", "told"),
    [
        ("/sys/kernel/tracing", WITH_REASON, "yes", "mounted at /sys/kernel/tracing"),
        ("/sys/kernel/tracing", errno.EACCES, "no", "may not read it. Run fourtuple as root"),
        ("", WITH_REASON, "partly", "mount -t tracefs tracefs /sys/kernel/tracing"),
        ("", errno.EPERM, "no", "may not mount it. Run fourtuple as root"),
        ("", errno.ENODEV, "no", "CONFIG_FTRACE"),
    ],
)
def test_tracefs_is_mounted_mountable_or_out_of_reach(
    tracefs: str, reset_format: str | int, expected: str, told: str
) -> None:
    found = answer(replace(GOOD, tracefs=tracefs, reset_format=reset_format), "tracefs")
    assert (found.answer, told in words(found)) == (expected, True)


def test_an_older_kernel_has_no_reset_reasons() -> None:
    machine = replace(GOOD, reset_format=FORMAT)
    assert answer(machine, "tracefs").ok
    assert "Linux 6.10" in words(answer(machine, "reset_reasons"))
    assert not works("trace", judge(machine))
    assert works("lab", judge(machine))


def test_a_terminal_without_utf_8_is_told_how_to_get_it() -> None:
    found = answer(replace(GOOD, encoding="iso8859-1"), "terminal")
    assert found.answer == "partly"
    assert "iso8859-1" in words(found)
    assert "LC_ALL=C.UTF-8" in words(found)


def test_privileges_are_needed_for_nothing_in_the_lab() -> None:
    machine = replace(GOOD, privileges=frozenset())
    assert not answer(machine, "net_raw").ok
    assert works("lab", judge(machine))
    assert not works("live", judge(machine))


def test_importing_it_loads_nothing_slow() -> None:
    loaded = run_python("import fourtuple.system.capabilities; print(*sys.modules)").split()
    assert "fourtuple.system.capabilities" in loaded
    assert not {"numpy", "pyroute2", "typer", "rich"} & set(loaded)


# What follows asks the machine itself.


def run_python(script: str) -> str:
    """What a Python process of its own printed; its errors are the test's."""
    code = "import sys\n" + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


PRELUDE = """
import os, subprocess
from fourtuple.errors import CapabilityMissing
from fourtuple.system.capabilities import capabilities, require_lab
from fourtuple.system.namespaces import unshare_user
from fourtuple.system.sysctl import write_sysctl

def ask():
    capabilities.cache_clear()
    try:
        require_lab()
    except CapabilityMissing as missing:
        return str(missing)
    return "the lab works"
"""


def on_a_machine_where(change: str) -> str:
    """What the lab says in a process that changed its own surroundings first."""
    return run_python(PRELUDE + textwrap.dedent(change) + "\nprint(ask())")


@pytest.mark.kernel
def test_this_machine_allows_the_lab_and_is_asked_once() -> None:
    require_lab()
    assert capabilities() is capabilities()


@pytest.mark.kernel
def test_asking_leaves_nothing_behind() -> None:
    def surroundings() -> tuple[object, ...]:
        mounts = Path("/proc/self/mounts").read_text()
        links = sorted(Path("/sys/class/net").iterdir())
        namespaces = [Path(f"/proc/self/ns/{kind}").readlink() for kind in ("user", "net", "mnt")]
        children = [each.read_text() for each in Path("/proc/self/task").glob("*/children")]
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return mounts, links, namespaces, descriptors, sorted("".join(children).split())

    before = surroundings()
    capabilities.cache_clear()
    capabilities()
    assert surroundings() == before


@pytest.mark.kernel
def test_a_process_with_threads_may_ask_too() -> None:
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        assert set(try_namespaces().values()) == {0}
    finally:
        end.set()
        other.join()


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["user", "pid", "net"])
def test_where_a_limit_is_0_the_remedy_given_is_the_cure(kind: str) -> None:
    setting = f"user.max_{kind}_namespaces"
    told = on_a_machine_where(
        f"""
        unshare_user()
        write_sysctl("{setting}", 0)
        print(ask())
        write_sysctl("{setting}", 10000)
        """
    )
    cause, remedy, cured = told.splitlines()
    assert cause == f"Namespaces are switched off: {setting} is 0."
    assert remedy == f"sudo sysctl -w {setting}=10000"
    assert cured == "the lab works"


@pytest.mark.kernel
def test_in_a_chroot_the_chroot_is_named(tmp_path: Path) -> None:
    told = on_a_machine_where(
        f"""
        unshare_user(0x00020000)  # CLONE_NEWNS
        subprocess.run(["mount", "--rbind", "/", "{tmp_path}"], check=True)
        os.chroot("{tmp_path}")
        """
    )
    assert "it may live in a chroot" in told


@pytest.mark.kernel
def test_under_a_seccomp_filter_the_container_options_are_named() -> None:
    told = on_a_machine_where(
        """
        import ctypes, errno, platform, struct
        number = {"x86_64": 272, "aarch64": 97}[platform.machine()]  # unshare
        program = struct.pack("HBBI", 0x20, 0, 0, 0)  # load the system call's number
        program += struct.pack("HBBI", 0x15, 0, 1, number)  # equal? else skip one
        program += struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | errno.EPERM)  # refuse
        program += struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)  # allow
        code = ctypes.create_string_buffer(program, len(program))
        filters = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(code)))
        libc = ctypes.CDLL(None)
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, filters, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        """
    )
    assert "A seccomp filter forbids user namespaces" in told
    assert "--security-opt seccomp=unconfined" in told


@pytest.mark.kernel
def test_where_proc_sys_is_read_only_the_container_option_is_named() -> None:
    told = on_a_machine_where(
        """
        unshare_user(0x00020000)  # CLONE_NEWNS
        subprocess.run(["mount", "--bind", "/proc/sys", "/proc/sys"], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", "/proc/sys"], check=True)
        """
    )
    assert "/proc/sys is read-only" in told
    assert "systempaths=unconfined" in told


@pytest.mark.kernel
def test_without_proc_it_is_asked_for() -> None:
    told = on_a_machine_where(
        """
        unshare_user(0x00020000)  # CLONE_NEWNS
        subprocess.run(["mount", "-t", "tmpfs", "none", "/proc"], check=True)
        """
    )
    assert told.startswith("The file system /proc is not mounted.")


@pytest.mark.kernel
def test_privileges_inside_a_namespace_do_not_count_outside() -> None:
    told = run_python(
        PRELUDE
        + textwrap.dedent(
            """
            unshare_user()
            print(*(one.key for one in capabilities() if one.answer == "no"))
            """
        )
    )
    assert {"net_raw", "net_admin", "sys_admin", "tracefs"} <= set(told.split())


@pytest.mark.kernel
def test_what_is_said_of_tracefs_agrees_with_mount(tmp_path: Path) -> None:
    command = ["unshare", "--mount", "mount", "-t", "tracefs", "tracefs", str(tmp_path)]
    mountable = subprocess.run(command, capture_output=True).returncode == 0
    (tracefs,) = (one for one in capabilities() if one.key == "tracefs")
    assert (tracefs.answer != "no") == mountable


def test_a_trial_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(report: trial.Report) -> None:
        del report
        os.kill(os.getpid(), signal.SIGSTOP)

    monkeypatch.setattr(trial, "_LIMIT_S", 0.2)
    monkeypatch.setattr(trial, "_report_steps", stopped)
    assert trial.try_namespaces() == {}
