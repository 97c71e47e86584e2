{{/*
Whether admission policies are rendered. They are cluster-wide, and so no part of an installation for some namespaces;
API servers know them since 1.30.
*/}}
{{- define "canary-operator.admission" -}}
{{- if and .Values.admissionPolicies.enabled (not .Values.namespaces) (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
true
{{- end -}}
{{- end -}}
