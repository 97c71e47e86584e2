"""``python -m release version X.Y.Z`` and ``python -m release build [X.Y.Z]``.

Law: parses, calls, prints; a mistake of a person is one line and exit status 1.
"""

import argparse
import pathlib
import sys

from lab.errors import LabError
from release import building, numbering
from release.errors import ReleaseError

ROOT = pathlib.Path(__file__).parents[1]


def main() -> None:
    """Do what is asked for in the checkout that this file is in."""
    asked = _arguments()
    try:
        if asked.command == "version":
            numbering.set_version(ROOT, asked.version)
            print(f"{asked.version} is written. Look at `git diff HEAD`, commit, then `make release`.")
        else:
            for path in building.build(ROOT, asked.version):
                print(path.relative_to(ROOT))
    except (ReleaseError, LabError) as error:
        sys.exit(f"release: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release", description="One version everywhere, and dist/.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="write a version into the tree").add_argument("version")
    build = commands.add_parser("build", help="make dist/ of the last commit")
    build.add_argument("version", nargs="?", help="refuse when the tree has another one")
    return parser.parse_args()


main()
