"""The kinds of objects that the operator watches, reads or writes.

Law: names only. What is done to them stands in calls.py.
"""

from dataclasses import dataclass

OUR_GROUP = "canary-operator.io"
ARGO_GROUP = "argoproj.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind as the API server names it; ``group`` is empty for the core kinds."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What objects of this kind carry as ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Spell the path of the collection, of an object or of a subresource; no namespace means all of them."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        return "/" + "/".join([*parts, self.plural, *filter(None, (name, subresource))])


ROLLOUTS = Resource(ARGO_GROUP, "v1alpha1", "rollouts", "Rollout")
ANALYSIS_TEMPLATES = Resource(ARGO_GROUP, "v1alpha1", "analysistemplates", "AnalysisTemplate")
CLUSTER_ANALYSIS_TEMPLATES = Resource(
    ARGO_GROUP, "v1alpha1", "clusteranalysistemplates", "ClusterAnalysisTemplate", namespaced=False
)
ANALYSIS_RUNS = Resource(ARGO_GROUP, "v1alpha1", "analysisruns", "AnalysisRun")
SLO_POLICIES = Resource(OUR_GROUP, "v1alpha1", "slopolicies", "SLOPolicy")
CANARY_GATES = Resource(OUR_GROUP, "v1alpha1", "canarygates", "CanaryGate")
GATE_DECISIONS = Resource(OUR_GROUP, "v1alpha1", "gatedecisions", "GateDecision")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
SERVICE_LEVEL_OBJECTIVES = Resource("pyrra.dev", "v1alpha1", "servicelevelobjectives", "ServiceLevelObjective")
PROMETHEUS_SERVICE_LEVELS = Resource("sloth.slok.dev", "v1", "prometheusservicelevels", "PrometheusServiceLevel")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")

# Watched by kopf, listed again by the resync, kept by the store.
WATCHED = (ROLLOUTS, ANALYSIS_TEMPLATES, CLUSTER_ANALYSIS_TEMPLATES, SLO_POLICIES, CANARY_GATES)

# Read by name when an SLOPolicy names one, and never watched: most clusters have not installed them all.
DEFINITIONS = (SERVICE_LEVEL_OBJECTIVES, PROMETHEUS_SERVICE_LEVELS, CONFIG_MAPS)
