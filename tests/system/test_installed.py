"""`lzsyncd install` and `uninstall` on a real machine, under its systemd."""

import re
from pathlib import Path

import pytest

from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, REPOSITORY
from tests.system.premises import CONFIG, HOME, RECORD, UNIT, add_site, everything, owner, put_instead

EXPOSURE = 20  # tenths: systemd-analyze security


@pytest.fixture
def bare(fresh_machine: Machine) -> Machine:
    """A machine on which the program is, and not installed yet."""
    return fresh_machine


# -- install


def test_installing_does_what_the_dry_run_shows_and_the_second_time_nothing(bare):
    before = everything(bare)
    shown = bare.run(LZSYNCD, "install", "--dry-run").stdout.splitlines()
    assert everything(bare) == before
    done = bare.run(LZSYNCD, "install").stdout.splitlines()
    assert [line for line in done if not line.startswith("Next:")] == shown
    after = everything(bare)
    again = bare.run(LZSYNCD, "install")
    assert again.stdout.splitlines()[0] == "Nothing is left to do."
    assert again.stderr == ""
    assert everything(bare) == after


def test_systemd_finds_nothing_wrong_with_the_unit_and_little_exposed(installed):
    verified = installed.run("systemd-analyze", "verify", UNIT)
    assert (verified.stdout, verified.stderr) == ("", "")
    for unit in ("lzsyncd.service", "lzsyncd-web.service"):
        installed.run("systemd-analyze", "security", f"--threshold={EXPOSURE}", unit)
        assert installed.show(unit, "NeedDaemonReload") == "no"
    assert "lzsyncd-in" in installed.run("id", "-nG", "lzsyncd").stdout.split()


def test_the_configuration_that_is_installed_can_be_used_and_only_the_service_may_read_it(installed):
    installed.run(LZSYNCD, "check-config", "--quiet", user="lzsyncd")
    assert installed.run("cat", CONFIG, user="nobody", check=False).returncode
    assert (owner(installed, "/etc/lzsyncd"), owner(installed, CONFIG)) == ("root:lzsyncd 750", "root:lzsyncd 640")
    assert installed.run("sh", "-c", f"echo >>{CONFIG}", user="lzsyncd", check=False).returncode


def test_logrotate_takes_what_is_installed(installed):
    told = installed.run("logrotate", "--debug", "/etc/logrotate.d/lzsyncd")
    assert "error" not in told.stderr


def test_what_was_changed_by_hand_stays_and_an_older_version_is_replaced(installed):
    installed.write(UNIT, installed.read(UNIT) + "# mine\n")
    installed.run("sh", "-c", "rm /etc/tmpfiles.d/lzsyncd.conf")
    done = installed.run(LZSYNCD, "install")
    assert f"{UNIT} was changed by hand" in done.stderr
    assert "write /etc/tmpfiles.d/lzsyncd.conf" in done.stdout
    assert installed.read(UNIT).endswith("# mine\n")
    older = installed.read(UNIT)
    digest = installed.run("sha256sum", UNIT).stdout.split()[0]
    record = re.compile(rf"^.*  {UNIT}$", re.MULTILINE).sub(f"{digest}  {UNIT}", installed.read(RECORD))
    installed.write(RECORD, record)
    assert f"replace {UNIT}" in installed.run(LZSYNCD, "install").stdout
    assert installed.read(UNIT) == older.removesuffix("# mine\n")


def test_only_root_may_install_and_anybody_may_see_what_would_be_done(bare):
    for command in (["install"], ["uninstall"], ["site", "add", "acme"]):
        refused = bare.run(LZSYNCD, *command, user="nobody", check=False)
        assert (refused.returncode, refused.stdout) == (77, "")
    assert "write" in bare.run(LZSYNCD, "install", "--dry-run", user="nobody").stdout


def test_a_program_that_the_service_could_not_see_is_not_installed(bare):
    bare.run("cp", "-a", "/opt/lzsyncd", f"{HOME}/lzsyncd")
    refused = bare.run(f"{HOME}/lzsyncd/venv/bin/python", "-m", "lzsyncd", "install", check=False)
    assert refused.returncode == 2
    assert f"A service can't see {HOME}/lzsyncd/venv" in refused.stderr
    assert not (bare.root / UNIT.lstrip("/")).exists()


def test_the_unit_starts_the_program_from_where_it_is(bare):
    bare.run("cp", "-a", "/opt/lzsyncd", "/opt/elsewhere")
    bare.run("/opt/elsewhere/venv/bin/python", "-m", "lzsyncd", "install")
    assert "ExecStart=/opt/elsewhere/venv/bin/lzsyncd run" in bare.read(UNIT)
    assert "/opt/lzsyncd/" not in bare.read(UNIT)


# -- uninstall


def test_uninstalling_where_there_was_no_site_leaves_nothing(bare):
    bare.run("mkdir", "-p", "/etc/sysusers.d")  # other systems have it
    before = everything(bare)
    bare.run(LZSYNCD, "install")
    assert everything(bare) != before
    shown = bare.run(LZSYNCD, "uninstall", "--dry-run").stdout
    assert bare.run(LZSYNCD, "uninstall").stdout == shown
    assert everything(bare) == before
    assert bare.run(LZSYNCD, "uninstall").stdout == "Nothing is left to do.\n"


def test_uninstalling_leaves_data_configuration_and_accounts(served):
    machine = served.machine
    password = add_site(machine, "acme")
    machine.write("/tmp/user.csv", "theirs")
    served.sftp("sftp-acme", password, "put /tmp/user.csv /inbox/user.csv")
    before = everything(machine)
    done = machine.run(LZSYNCD, "uninstall")
    gone = {line.split()[0] for line in before - everything(machine) if line.startswith("/")}
    assert {path for path in gone if path.startswith("/srv")} == set()
    assert UNIT in gone
    assert CONFIG not in gone
    assert "sftp-acme would no longer be shut into" in done.stderr
    served.sftp("sftp-acme", password, "ls /inbox/user.csv")
    assert machine.run(LZSYNCD, "uninstall").stdout == "Nothing is left to do.\n"
    machine.run(LZSYNCD, "install")
    assert "as handed out before" in machine.run(LZSYNCD, "site", "add", "acme").stdout


def test_a_running_service_is_stopped_before_it_goes(installed):
    machine = installed
    put_instead(machine, "exec", "/bin/sleep 1000")
    machine.run("systemctl", "enable", "--now", "lzsyncd.service")
    machine.run(LZSYNCD, "uninstall")
    assert machine.run("systemctl", "is-active", "lzsyncd.service", check=False).stdout.strip() == "inactive"
    assert not Path(machine.root, "etc/systemd/system/multi-user.target.wants/lzsyncd.service").is_symlink()


# -- the help and the document


@pytest.mark.parametrize("command", ["install", "site add", "uninstall"])
def test_the_examples_run(served, command):
    told = served.machine.run(LZSYNCD, *command.split(), "--help").stdout
    document = (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8")
    section = document.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    for found in (r"^ +(lzsyncd .*)$", told.partition("Examples:")[2]), (r"^\$ (lzsyncd .*)$", section):
        examples = re.findall(*found, re.MULTILINE)
        assert examples
        served.machine.run("rm", "-f", f"{HOME}/acme.txt")
        for example in examples:
            served.machine.run("sh", "-c", f"cd /root && PATH=/opt/lzsyncd/venv/bin:$PATH && {example}")
