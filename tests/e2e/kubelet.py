"""What a kubelet would do with a pod, where there are no containers: its files, environment, identity and probes.

Law: everything is taken from the objects as the API server has them. Only where a port is, and where the root of the
file system is, is another place than a pod would have.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from lab.cluster import Lab
from tests.e2e.stage import Operator, free_port

ROOT = Path(__file__).parents[2]
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """The pod of a Deployment or of a Job, with one container."""

    lab: Lab
    namespace: str
    spec: Body
    root: Path
    port: int = field(default_factory=free_port)

    @property
    def container(self) -> Body:
        (only,) = self.spec["containers"]
        return dict(only)

    def identity(self) -> Path:
        """Return a kubeconfig with a token of the pod's ServiceAccount, which must be there already."""
        name = self.spec["serviceAccountName"]
        self.lab.get("serviceaccount", name, namespace=self.namespace)
        return self.lab.service_account_kubeconfig(self.namespace, name)

    def command(self) -> list[str]:
        """Return what the container runs: the image's program with the container's arguments."""
        assert "command" not in self.container, "the image says which program it is"
        program, *rest = _entrypoint()
        arguments = [_expanded(argument, self.variables()) for argument in self.container["args"]]
        return [str(Path(sys.executable).with_name(program)), *rest, *map(self._moved, arguments)]

    def variables(self) -> dict[str, str]:
        """Return the container's environment, with the fields of the pod that it names."""
        fields = {"metadata.namespace": self.namespace}
        return {
            each["name"]: self._moved(each["value"]) if "value" in each else fields[_field_path(each)]
            for each in self.container.get("env") or ()
        }

    def environment(self) -> dict[str, str]:
        """Return all that the process is given."""
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        listening = {"CANARY_OPERATOR_WEB__HOST": "127.0.0.1", "CANARY_OPERATOR_WEB__PORT": str(self.port)}
        return {"PATH": path, "KUBECONFIG": str(self.identity()), **listening, **self.variables()}

    def mount(self) -> None:
        """Write the files of every volume where the container has it mounted."""
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes") or ()}
        for mount in self.container.get("volumeMounts") or ():
            assert mount["readOnly"], mount
            folder = Path(self._moved(mount["mountPath"]))
            folder.mkdir(parents=True)
            for name, content in self._files(volumes[mount["name"]]).items():
                (folder / name).write_text(self._moved(content))

    def start(self) -> Operator:
        """Start the container, and wait for nothing."""
        self.mount()
        log = self.root / "container.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                self.command(), env=self.environment(), cwd=self.root, stdout=sink, stderr=subprocess.STDOUT
            )
        return Operator(process, log, f"http://127.0.0.1:{self.port}")

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the container to its end."""
        self.mount()
        return subprocess.run(
            self.command(),
            env=self.environment(),
            cwd=self.root,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def passes(self, probe: str) -> bool:
        """Whether ``livenessProbe`` or ``readinessProbe`` is answered well, where the container says it is."""
        asked = self.container[probe]["httpGet"]
        assert asked["port"] in {port["name"] for port in self.container["ports"]}
        try:
            return requests.get(f"http://127.0.0.1:{self.port}{asked['path']}", timeout=1).ok
        except requests.RequestException:
            return False

    def _moved(self, text: str) -> str:
        """The text with every place of a mount where the test has it."""
        places = sorted((mount["mountPath"] for mount in self.container.get("volumeMounts") or ()), reverse=True)
        return re.sub("|".join(map(re.escape, places)) or "(?!)", lambda found: f"{self.root}{found[0]}", text)

    def _files(self, volume: Body) -> dict[str, str]:
        if "configMap" in volume:
            body = self.lab.get("configmap", volume["configMap"]["name"], namespace=self.namespace)
            return dict(body["data"])
        body = self.lab.get("secret", volume["secret"]["secretName"], namespace=self.namespace)
        return {name: base64.b64decode(value).decode() for name, value in body["data"].items()}


def pod_of(lab: Lab, kind: str, name: str, namespace: str, root: Path) -> Pod:
    """Return the pod that a Deployment or a Job would have; its file system lies in ``root``."""
    body = lab.get(kind, name, namespace=namespace)
    root.mkdir()
    return Pod(lab, namespace, body["spec"]["template"]["spec"], root)


def _entrypoint() -> list[str]:
    text = (ROOT / "Dockerfile").read_text()
    return list(json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)[-1]))


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text as Kubernetes writes an argument: $(NAME) is a variable of the container."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], text)


def _field_path(variable: Body) -> str:
    return str(variable["valueFrom"]["fieldRef"]["fieldPath"])
