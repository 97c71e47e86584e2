"""No process outlives its supervisor, and no supervisor its owner."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

import lab
from lab.processes import client, ports

SLEEP = [shutil.which("sleep") or "/bin/sleep", "1000"]

OWNER = """
import os, sys, time
from pathlib import Path
from lab.processes import client, ports
block = ports.reserve()
supervision, pid = client.supervise(Path(sys.argv[1]), lock=block.lock, ephemeral=True)
print(pid, supervision.start("sleeper", sys.argv[2:]), flush=True)
time.sleep(1000)
"""


@pytest.fixture
def supervision(tmp_path):
    block = ports.reserve()
    found, pid = client.supervise(tmp_path, lock=block.lock, ephemeral=False)
    os.close(block.lock)
    yield found
    found.shutdown()
    client.wait_until_gone(pid)


def test_a_program_is_started_seen_and_stopped(supervision):
    pid = supervision.start("sleeper", SLEEP)
    assert supervision.processes() == {"sleeper": client.Process(pid, None)}

    supervision.stop("sleeper")
    assert supervision.processes() == {"sleeper": client.Process(pid, -signal.SIGTERM)}
    assert not client.exists(pid)


def test_a_paused_program_can_be_stopped(supervision):
    pid = supervision.start("sleeper", SLEEP)
    supervision.pause("sleeper")
    supervision.stop("sleeper", grace=5)

    assert not client.exists(pid)


def test_a_program_that_ignores_the_request_is_ended_by_force(supervision):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)"
    supervision.start("stubborn", [sys.executable, "-c", stubborn])
    lab.until(lambda: "deaf" in supervision.last_lines("stubborn"), "deafness")
    supervision.stop("stubborn", grace=0.2)

    assert supervision.processes()["stubborn"].exit == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_an_error_and_not_the_end(supervision):
    with pytest.raises(lab.LabError, match="No such file"):
        supervision.start("nothing", ["/no/such/program"])
    assert supervision.answers()


def test_a_shutdown_ends_everything(supervision):
    pids = [supervision.start(name, SLEEP) for name in ("one", "two")]
    supervision.shutdown()

    assert not any(map(client.exists, pids))
    lab.until(lambda: not supervision.answers(), "the supervisor's end")


@pytest.mark.parametrize("victim", ["owner", "supervisor"])
def test_sigkill_of_the_owner_or_of_the_supervisor_leaves_nothing(tmp_path, victim):
    folder = tmp_path / "lab"
    folder.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder), *SLEEP], stdout=subprocess.PIPE, text=True)
    supervisor, sleeper = map(int, owner.stdout.readline().split())
    owner.stdout.close()
    os.kill(owner.pid if victim == "owner" else supervisor, signal.SIGKILL)

    lab.until(lambda: not client.exists(sleeper) and not client.exists(supervisor), "the end")
    if victim == "owner":
        lab.until(lambda: not folder.exists(), "the folder's removal")
    owner.kill()
    owner.wait()


def test_a_caller_that_says_nonsense_does_not_take_the_lab_with_it(supervision):
    for nonsense in (b"", b"nonsense\n", b"[]\n", b'{"verb": "no such verb"}\n'):
        with lab.processes.control.connected(supervision.folder, 5.0) as connection:
            connection.sendall(nonsense)

    assert supervision.answers()


def test_two_blocks_of_ports_have_nothing_in_common_and_are_given_back():
    first, second = ports.reserve(), ports.reserve()

    assert not set(first.ports) & set(second.ports)
    for block in (first, second):
        os.close(block.lock)
