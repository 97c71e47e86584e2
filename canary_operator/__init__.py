"""canary-operator: SLO-gated canary promotion for Argo Rollouts.

The rooms, from the bottom up; a room may use those below it and none above:

    cli                                  what people type
    handlers | web                       what Kubernetes and probes ask
    wiring                               settings become clients, clients become a running operator
    agenda                               which Rollout is looked at when
    reconcile                            the cycle: snapshot, plan, fetch, decide, apply, record
    cluster | prometheus | journal       the outside: reading, asking, writing, telling
    engine                               deciding, and nothing else
    conditions                           Argo's condition language and the rules of a metric
    model                                the nouns
    errors                               what can go wrong
"""

__version__ = "0.1.0"
