"""The machine that tests boot is a real one, and nothing is left of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.system.booted import booted
from tests.system.installation import LZSYNCD, REPOSITORY

GONE = 60.0  # seconds within which nothing is left of a machine


def traces(name: str) -> list[str]:
    """What is left of a machine outside."""
    roots = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))
    groups = (root / name for root in roots)  # not a search: other machines come and go meanwhile
    places = [*Path("/run").glob(f"{name}-*"), *(group for group in groups if group.exists())]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if name in line]
    return [*map(str, places), *mounts]


def test_a_machine_runs_under_systemd_and_nothing_it_does_is_seen_outside():
    with booted() as machine:
        assert machine.run("systemctl", "is-system-running").stdout.strip() == "running"
        assert machine.run("cat", "/proc/1/comm").stdout.strip() == "systemd"
        assert machine.run("hostname").stdout.strip() == machine.name
        machine.write("/etc/made-inside", "x")
        machine.run("useradd", "made-inside")
        assert not Path("/etc/made-inside").exists()
        assert "made-inside" not in Path("/etc/passwd").read_text()
    assert traces(machine.name) == []


def test_two_machines_have_nothing_in_common():
    with booted() as one, booted() as other:
        one.write("/tmp/file", "one")
        one.run("systemd-run", "--unit=listener", "python3", "-m", "http.server", "--bind=127.0.0.1", "8000")
        assert not (other.root / "tmp/file").exists()
        assert other.run("systemctl", "is-active", "listener", check=False).stdout.strip() == "inactive"
        assert other.run("bash", "-c", ": </dev/tcp/127.0.0.1/8000", check=False).returncode


def test_nothing_is_left_of_a_machine_whose_owner_was_killed():
    script = "from tests.system.booted import Machine\nprint(Machine().name, flush=True)\nimport time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        name = owner.stdout.readline().strip()
        assert traces(name)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE
    while traces(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert traces(name) == []


def test_the_program_is_there_as_a_sysadmin_would_have_installed_it(machine):
    assert machine.run(LZSYNCD, "--version", user="nobody").stdout.startswith("lzsyncd ")
    where = machine.run(
        "/opt/lzsyncd/venv/bin/python", "-c", "import lzsyncd, sys; print(lzsyncd.__file__, sys.base_prefix)"
    )
    assert where.stdout.split()[0].startswith("/opt/lzsyncd/venv/lib/")
    assert where.stdout.split()[1] == "/usr"
