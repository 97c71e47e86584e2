{{/*
What the operator may do: exactly the calls of canary_operator/cluster/calls.py, and what it watches. A test compares
them. It may not read Secrets, and may not change the spec or the metadata of a Rollout.
*/}}
{{- define "canary-operator.rights" -}}
# What is judged.
- apiGroups: [argoproj.io]
  resources: [rollouts]
  verbs: [get, list, watch]
- apiGroups: [argoproj.io]
  resources: [analysistemplates{{ if not .Values.namespaces }}, clusteranalysistemplates{{ end }}]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
# Restarts, crashes and images of both versions. Pods carry environment variables: whoever keeps secrets there should
# know that the operator receives them, and keeps none.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
{{- if .Values.rbac.sloSources }}
# SLOs that an SLOPolicy refers to by name, in its own namespace. ConfigMaps are read where one is named (OpenSLO, or
# Sloth's file format), and never listed. Without a right a reference holds, and names the right.
{{- end }}
{{- if has "pyrra" .Values.rbac.sloSources }}
- apiGroups: [pyrra.dev]
  resources: [servicelevelobjectives]
  verbs: [get]
{{- end }}
{{- if has "sloth" .Values.rbac.sloSources }}
- apiGroups: [sloth.slok.dev]
  resources: [prometheusservicelevels]
  verbs: [get]
{{- end }}
{{- if has "configMaps" .Values.rbac.sloSources }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
{{- end }}
{{- if eq .Values.mode "enforce" }}
# How it acts: hold, release, promote and abort are patches of the status.
- apiGroups: [argoproj.io]
  resources: [rollouts/status]
  verbs: [patch]
{{- end }}
# What it shows in Argo's own tools and in kubectl describe.
- apiGroups: [argoproj.io]
  resources: [analysisruns]
  verbs: [create, delete, list, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
# Its own kinds.
- apiGroups: [canary-operator.io]
  resources: [slopolicies]
  verbs: [list, watch]
- apiGroups: [canary-operator.io]
  resources: [canarygates]
  verbs: [create, get, list, watch]
- apiGroups: [canary-operator.io]
  resources: [canarygates/status]
  verbs: [patch]
- apiGroups: [canary-operator.io]
  resources: [gatedecisions]
  verbs: [create, delete, list]
{{- end -}}

{{/* Where the Lease is: the operator's own namespace, whichever namespaces it gates, or config.lease.namespace. */}}
{{- define "canary-operator.rightsAtHome" -}}
# Which replica may write: a Lease.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create, get, update]
{{- end -}}
