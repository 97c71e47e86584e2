{{/* The release's name, which says what it is. */}}
{{- define "canary-operator.fullname" -}}
{{- if contains "canary-operator" .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-canary-operator" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* What selects the operator's pod: never changes, since a Deployment's selector cannot. */}}
{{- define "canary-operator.selector" -}}
app.kubernetes.io/name: canary-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "canary-operator.labels" -}}
{{ include "canary-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: canary-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "canary-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "canary-operator.fullname" .) }}
{{- else -}}
{{ required "serviceAccount.name must be given where serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "canary-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The port of the probes, of /metrics and of the page: the configuration's own. */}}
{{- define "canary-operator.port" -}}
{{ (.Values.config.web).port | default 8080 }}
{{- end -}}

{{/* The configuration file: the values under `config`, and what the chart's mode says. The Lease is the release's own, so
that an upgrade which changes `namespaces` has one writer all the time. */}}
{{- define "canary-operator.config" -}}
{{- $lease := merge (dict) (default dict .Values.config.lease) (dict "name" (include "canary-operator.fullname" .)) -}}
mode: {{ .Values.mode }}
{{ toYaml (merge (dict "lease" $lease) .Values.config) }}
{{- end -}}

{{/* Whether replicas agree by a Lease on who writes: "true", or nothing. */}}
{{- define "canary-operator.agrees" -}}
{{- if ne (toString (.Values.config.lease).enabled) "false" }}true{{ end }}
{{- end -}}

{{/* Where the Lease is. */}}
{{- define "canary-operator.home" -}}
{{ (.Values.config.lease).namespace | default .Release.Namespace }}
{{- end -}}
