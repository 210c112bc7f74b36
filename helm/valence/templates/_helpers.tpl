{{/* Short enough for what is put behind it: a name has 63 characters. */}}
{{- define "valence.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes over a release's life: selectors are immutable. */}}
{{- define "valence.selectorLabels" -}}
app.kubernetes.io/name: valence
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "valence.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "valence.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "valence.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "valence.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* A number in a file of values is a float to Helm, and of a million on would be written 1e+06. */}}
{{- define "valence.modelVersion" -}}
{{- .Values.model.version | int64 -}}
{{- end -}}

{{- define "valence.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "valence.autoscaled" -}}
{{- if ne .Values.autoscaling.mode "none" }}true{{ end -}}
{{- end -}}

{{/* The fewest pods that there are when all is well. */}}
{{- define "valence.fewestPods" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas (eq (include "valence.autoscaled" .) "true") -}}
{{- end -}}

{{/* What has pods: a scaler's target. */}}
{{- define "valence.workloadRef" -}}
{{- if .Values.rollout.enabled -}}
apiVersion: argoproj.io/v1alpha1
kind: Rollout
{{- else -}}
apiVersion: apps/v1
kind: Deployment
{{- end }}
name: {{ include "valence.fullname" . }}
{{- end -}}
