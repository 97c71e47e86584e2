"""Which programs the lab needs, and which files it takes out of their modules.

Law: data only. To add a program: one line in PROGRAMS or PEERS and a `tool` line in its group's go.mod.
"""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "v1.34.1"

# Kubernetes learns its version at link time; without it every program says v0.0.0-master.
_KUBERNETES_STAMPS = tuple(
    f"{package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (
        ("gitVersion", KUBERNETES),
        ("gitMajor", "1"),
        ("gitMinor", "34"),
        ("gitTreeState", "clean"),
    )
)


@dataclass(frozen=True, slots=True)
class Program:
    """One executable: its Go package, the module group that pins it, what is linked into it, and build tags.

    With `from_path_with`, one on the PATH that knows this option is used instead of building.
    """

    name: str
    group: str
    package: str
    from_path_with: str = ""
    stamps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """Files that ship inside a Go module: every YAML file of `folder` goes to assets/`name`."""

    name: str
    group: str
    module: str
    folder: str


# Argo believes its tag only when it also knows a commit.
_ARGO_STAMPS = tuple(
    f"github.com/argoproj/argo-rollouts/utils/version.{name}={value}"
    for name, value in (("gitTag", "v1.9.1"), ("gitCommit", "go-module"), ("gitTreeState", "clean"))
)

_KUBE = "k8s.io/kubernetes/cmd"
_ARGO = "github.com/argoproj/argo-rollouts"
_KWOK = "sigs.k8s.io/kwok"

PROGRAMS: tuple[Program, ...] = (
    Program("etcd", "controlplane", "go.etcd.io/etcd/server/v3", from_path_with="--unsafe-no-fsync"),
    Program("kubectl", "controlplane", f"{_KUBE}/kubectl", stamps=_KUBERNETES_STAMPS),
    Program("kube-apiserver", "controlplane", f"{_KUBE}/kube-apiserver", stamps=_KUBERNETES_STAMPS),
    Program(
        "kube-controller-manager",
        "controlplane",
        f"{_KUBE}/kube-controller-manager",
        stamps=_KUBERNETES_STAMPS,
    ),
    Program("kube-scheduler", "controlplane", f"{_KUBE}/kube-scheduler", stamps=_KUBERNETES_STAMPS),
    Program("rollouts-controller", "controlplane", f"{_ARGO}/cmd/rollouts-controller", stamps=_ARGO_STAMPS),
    Program("kubectl-argo-rollouts", "controlplane", f"{_ARGO}/cmd/kubectl-argo-rollouts", stamps=_ARGO_STAMPS),
    Program("kwok", "kwok", f"{_KWOK}/cmd/kwok"),
    Program(
        "prometheus",
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        from_path_with="--web.enable-lifecycle",
        # Module v0.305 is release 3.5; clients ask for it at /api/v1/status/buildinfo.
        stamps=("github.com/prometheus/common/version.Version=3.5.0",),
    ),
    Program("promtool", "promtool", "github.com/prometheus/prometheus/cmd/promtool", from_path_with="test rules"),
    # Not from the PATH: manifests/ are rendered with it, and must come out the same everywhere.
    Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", stamps=("helm.sh/helm/v4/internal/version.version=v4.3.2",)),
)

_PROMETHEUS = "github.com/prometheus/prometheus/cmd/prometheus"
_METRICS = "github.com/VictoriaMetrics/VictoriaMetrics"
_VERSION = "github.com/prometheus/common/version.Version"

# Servers with the API of Prometheus, for `make test-compat` alone; not from the PATH, because versions are the point.
PEERS: tuple[Program, ...] = (
    Program("prometheus-2", "prometheus2", _PROMETHEUS, stamps=(f"{_VERSION}=2.55.1",)),
    # Without the discoveries of clouds, which are a third of its packages; http and file stay.
    Program("prometheus-3", "prometheus3", _PROMETHEUS, stamps=(f"{_VERSION}=3.16.0",), tags=("remove_all_sd",)),
    Program(
        "victoria-metrics",
        "victoriametrics",
        f"{_METRICS}/app/victoria-metrics",
        stamps=(f"{_METRICS}/lib/buildinfo.Version=victoria-metrics-v1.151.0",),
    ),
    # Thanos reads the memory of Prometheus' labels as slices, and dies at its first request where they are strings.
    Program(
        "thanos",
        "thanos",
        "github.com/thanos-io/thanos/cmd/thanos",
        stamps=(f"{_VERSION}=0.42.4",),
        tags=("slicelabels",),
    ),
)

EVERY = (*PROGRAMS, *PEERS)

# What a lab starts or calls itself. The others are for tests, which ask for them by name.
RUNNING = frozenset(program.name for program in PROGRAMS) - {"promtool", "helm"}

ASSETS: tuple[Asset, ...] = (
    Asset("argo-crds", "controlplane", _ARGO, "manifests/crds"),
    Asset("argo-install", "controlplane", _ARGO, "manifests"),
    Asset("stage-node-fast", "kwok", _KWOK, "kustomize/stage/node/fast"),
    Asset("stage-node-heartbeat", "kwok", _KWOK, "kustomize/stage/node/heartbeat"),
    Asset("stage-pod-fast", "kwok", _KWOK, "kustomize/stage/pod/fast"),
)

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(program.group for program in EVERY))
