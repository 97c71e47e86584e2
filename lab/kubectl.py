"""Running kubectl against one cluster.

Law: text in, text out; an error is an exception with kubectl's own words.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import CommandError


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with one kubeconfig, and a discovery cache that no other cluster shares."""

    program: Path
    kubeconfig: Path
    cache: Path

    def __call__(
        self,
        *arguments: str,
        namespace: str | None = None,
        stdin: str | None = None,
        timeout: float = 120.0,
    ) -> str:
        """Run `kubectl ARGUMENTS` and return its output. Raises CommandError with its stderr."""
        command = [
            str(self.program),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={self.cache}",
            *([f"--namespace={namespace}"] if namespace else []),
            *arguments,
        ]
        answer = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True, timeout=timeout)
        if answer.returncode:
            raise CommandError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()}")
        return answer.stdout

    def apply(self, manifest: str | Path, *, namespace: str | None = None) -> str:
        """Apply a file, a folder or the text of a manifest."""
        source = str(manifest) if isinstance(manifest, Path) else "-"
        text = None if isinstance(manifest, Path) else manifest
        return self(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--filename={source}",
            namespace=namespace,
            stdin=text,
        )

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Return one object as the API server has it."""
        body = json.loads(self("get", kind, name, "--output=json", namespace=namespace))
        return dict(body)
