"""The table of docs/compatibility.md: which server, which version, how many tests."""

import re
from collections.abc import Iterable, Iterator

from lab import locations, peers
from lab.programs import table

# These tests have no server among their parameters, because they are about Thanos alone.
_ONLY_THANOS = "test_partial.py"


def module(program: table.Program) -> str:
    """The Go module that a program is built from, with its version."""
    text = (locations.GO_MODULES / program.group / "go.mod").read_text()
    required = re.findall(r"^\s*(?:require )?(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE)
    path, version = max((each for each in required if f"{program.package}/".startswith(f"{each[0]}/")), key=len)
    return f"{path} {version}"


def told(results: Iterable[tuple[str, bool]]) -> Iterator[str]:
    """The lines of the table.

    Args:

        results: the id of each test, and whether it passed.
    """
    known = list(results)
    yield "| server | built from | tests | passed |"
    yield "|---|---|---|---|"
    for server, programs in peers.SERVERS.items():
        modules = [module(each) for name in programs for each in table.PEERS if each.name == name]
        own = [passed for nodeid, passed in known if _is_of(nodeid, server)]
        yield f"| {server} | {', '.join(f'`{each}`' for each in modules)} | {len(own)} | {sum(own)} |"


def _is_of(nodeid: str, server: str) -> bool:
    if _ONLY_THANOS in nodeid:
        return server == "thanos"
    named = [each for each in peers.SERVERS if re.search(rf"\b{each}\b", nodeid.partition("[")[2])]
    # A test that names none compares all of them.
    return not named or server in named
