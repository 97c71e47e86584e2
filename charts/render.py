"""Render the chart for those who apply files: ``python charts/render.py``, with the lab's Helm.

Law: manifests/ are the chart, and hold nothing of their own but the namespace.
"""

import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

from lab.errors import LabError
from lab.programs import cache

ROOT = pathlib.Path(__file__).parents[1]
CHART = ROOT / "charts" / "canary-operator"

# Both the release and its namespace.
_NAME = "canary-operator"

# What the API server admits to it is what the pods are written for.
_NAMESPACE = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {_NAME}
  labels:
    app.kubernetes.io/part-of: {_NAME}
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: latest
"""

# kubectl manages these, and a cluster's own tools should not look for a release.
_HELMS_OWN = re.compile(r"^ +app.kubernetes.io/managed-by: Helm\n|^  annotations:\n    helm.sh/.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Rendering:
    """One file: what it is for, the values that differ, and whether it fits any namespace."""

    target: str
    says: str
    values: tuple[str, ...] = ()
    anywhere: bool = False


RENDERINGS = (
    Rendering("manifests/install.yaml", "The operator for the whole cluster, with its kinds and its namespace."),
    Rendering(
        "manifests/observe.yaml",
        "The operator that only observes: without the right to write to Rollouts.",
        ("mode=observe",),
    ),
    Rendering(
        "manifests/namespace-install.yaml",
        "The operator for the namespace that it is applied to. The kinds come apart: crds/",
        (f"namespaces={{{_NAME}}}", "crds.enabled=false"),
        anywhere=True,
    ),
    Rendering(
        "examples/native-analysis/operator.yaml",
        "The operator for those who only use Argo's own analysis.",
        ("mode=observe", "nativeAnalysis.enabled=true"),
    ),
)


def main() -> None:
    """Write every rendering."""
    try:
        helm = cache.install(only={"helm"}).programs["helm"]
    except LabError as error:
        sys.exit(str(error))
    for rendering in RENDERINGS:
        (ROOT / rendering.target).write_text(render(helm, rendering), encoding="utf-8")


def render(helm: pathlib.Path, rendering: Rendering) -> str:
    """Render one file: the namespace first, then the kinds, then what needs them."""
    parts = _documents(_template(helm, rendering))
    kinds = [part for part in parts if "\nkind: CustomResourceDefinition\n" in part]
    others = [part for part in parts if part not in kinds]
    first = [] if rendering.anywhere else [_NAMESPACE]
    head = f"# {rendering.says}\n# Rendered from charts/canary-operator by charts/render.py; do not edit.\n"
    text = head + "---\n" + "---\n".join([*first, *kinds, *others])
    return text.replace(f"  namespace: {_NAME}\n", "") if rendering.anywhere else text


def _template(helm: pathlib.Path, rendering: Rendering) -> str:
    values = [f"--set={value}" for value in rendering.values]
    # Admission policies are part of Kubernetes since then.
    options = [f"--namespace={_NAME}", "--no-hooks", "--kube-version=1.30", *values]
    command = [str(helm), "template", _NAME, str(CHART), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _documents(text: str) -> list[str]:
    parts = _HELMS_OWN.sub("", text).split("\n---\n")
    return [part.removeprefix("---\n").strip("\n") + "\n" for part in parts]


if __name__ == "__main__":
    main()
