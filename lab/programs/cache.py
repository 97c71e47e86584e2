"""The cache of built programs: one folder per group, module versions and toolchain.

Law: a program in the cache is complete; it appears by a rename, and only under the group's lock.
A folder that is marked complete is used without Go, and is never written again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import locations, locking
from lab.errors import ToolchainError
from lab.programs import progress, table, toolchain

_COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Installed:
    """Where every program and asset of the lab is on this machine."""

    programs: dict[str, Path]
    assets: dict[str, Path]


@dataclass(frozen=True, slots=True)
class _Count:
    """Which program of how many is next, over all groups."""

    done: int
    total: int

    def position(self, index: int) -> str:
        return f"{self.done + index + 1} of {self.total}"


def install(show: progress.Display | None = None, *, only: Collection[str] = ()) -> Installed:
    """Return programs (all but peers, or those named) and assets, building what is neither cached nor on the PATH.

    Raises ToolchainError or BuildError when something must be built and cannot be.
    """
    show = show or progress.display()
    needed = [program for program in table.EVERY if program.name in only] if only else list(table.PROGRAMS)
    found = _from_path(needed)
    wanted = [program for program in needed if program.name not in found]
    programs, assets = dict(found), dict[str, Path]()
    for group in table.GROUPS:
        mine = [program for program in wanted if program.group == group]
        if not mine:
            continue
        count = _Count(len(programs), len(needed))
        folder = ensure_group(group, mine, show, count)
        programs |= {program.name: folder / "bin" / program.name for program in mine}
        assets |= {asset.name: folder / "assets" / asset.name for asset in _assets(group)}
    return Installed(programs, assets)


def key(group: str, identity: str) -> str:
    """Return the cache key of `group` built by the toolchain `identity`."""
    module = locations.GO_MODULES / group
    recipe = [(module / name).read_bytes() for name in ("go.mod", "go.sum")]
    mine = [program for program in table.EVERY if program.group == group]
    recipe += [" ".join((one.package, *one.stamps, *one.tags)).encode() for one in mine]
    recipe.append(identity.encode())
    return f"{group}-{hashlib.sha256(b'|'.join(recipe)).hexdigest()[:16]}"


def ensure_group(
    group: str,
    programs: Iterable[table.Program],
    show: progress.Display,
    count: _Count,
) -> Path:
    """Return the folder of `group` with `programs` and the group's assets in it."""
    wanted = list(programs)
    module = locations.GO_MODULES / group
    # A warm lab starts where Go was removed since, so the newest complete build of these
    # module versions will do when there is no Go to compare its version with.
    try:
        go = toolchain.toolchain(module)
    except ToolchainError:
        known = _last_complete(group, wanted)
        if known is None:
            raise
        return known
    folder = locations.cache_root() / key(group, go.identity)
    if not _is_complete(folder, wanted):
        lock = folder.with_suffix(".lock")
        with locking.held(lock, lambda: show.note(f"another build holds {lock.name}; waiting for it")):
            _fill(folder, group, wanted, go.go, show, count)
    _remember(group, folder)
    return folder


def _fill(
    folder: Path,
    group: str,
    programs: list[table.Program],
    go: Path,
    show: progress.Display,
    count: _Count,
) -> None:
    """Build what is missing in `folder`. The caller holds the group's lock."""
    module = locations.GO_MODULES / group
    missing = [one for one in programs if not (folder / "bin" / one.name).exists()]
    if missing and not any(locations.cache_root().glob(f"*/{_COMPLETE}")):
        show.note(progress.FIRST_BUILD)
    for program in missing:
        with show.step(f"building {program.name}", count.position(programs.index(program))):
            _build(folder, module, program, go)
    for asset in _assets(group):
        _copy_asset(folder, module, asset, go)
    (folder / _COMPLETE).touch()


def _build(folder: Path, module: Path, program: table.Program, go: Path) -> None:
    """Build into a temporary name, then rename: a killed build leaves no program behind."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    for leftover in binaries.glob(f".{program.name}.*"):
        leftover.unlink(missing_ok=True)
    half = binaries / f".{program.name}.{os.getpid()}"
    toolchain.build(go, module, program, half)
    half.replace(binaries / program.name)


def _copy_asset(folder: Path, module: Path, asset: table.Asset, go: Path) -> None:
    target = folder / "assets" / asset.name
    if target.exists():
        return
    source = toolchain.module_folder(go, module, asset.module) / asset.folder
    half = target.with_name(f".{asset.name}.{os.getpid()}")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    for file in sorted(source.glob("*.yaml")):
        # A kustomization is an instruction for another tool, not an object.
        if file.name != "kustomization.yaml":
            (half / file.name).write_bytes(file.read_bytes())
    half.replace(target)


def _assets(group: str) -> list[table.Asset]:
    return [asset for asset in table.ASSETS if asset.group == group]


def _is_complete(folder: Path, programs: Iterable[table.Program]) -> bool:
    # The programs are looked at too: a machine that lost its etcd package needs one more now.
    built = all((folder / "bin" / program.name).exists() for program in programs)
    return built and (folder / _COMPLETE).exists()


def _from_path(programs: Iterable[table.Program]) -> dict[str, Path]:
    found = {}
    for program in programs:
        here = shutil.which(program.name) if program.from_path_with else None
        if here and _knows(here, program.from_path_with):
            found[program.name] = Path(here)
    return found


def _knows(path: str, option: str) -> bool:
    """Say whether the program at `path` starts and has `option`."""
    try:
        answer = subprocess.run([path, "--help"], check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and option in answer.stdout + answer.stderr


def _pointer(group: str) -> Path:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return locations.cache_root() / f"{key(group, machine)}.latest"


def _remember(group: str, folder: Path) -> None:
    pointer = _pointer(group)
    if not pointer.exists() or pointer.read_text() != folder.name:
        half = pointer.with_suffix(f".{os.getpid()}")
        half.write_text(folder.name)
        half.replace(pointer)


def _last_complete(group: str, programs: Iterable[table.Program]) -> Path | None:
    pointer = _pointer(group)
    if not pointer.exists():
        return None
    folder = locations.cache_root() / pointer.read_text()
    return folder if _is_complete(folder, programs) else None
