{{/* The pod, which a Deployment and a Rollout share. */}}
{{- define "valence.podTemplate" -}}
{{- $model := ternary "/model/package" "/app/model" (eq .Values.model.source "registry") -}}
{{- $env := include "valence.env" (list . $model) -}}
metadata:
  # No chart version here: a new chart that changes nothing of the pod restarts none.
  labels:
    {{- include "valence.selectorLabels" . | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: valence
    # All settings stand in the pod itself, so going back brings them back too; this is what to compare pods by.
    checksum/settings: {{ sha256sum $env }}
    valence/model: {{ printf "%s/%s@%s" .Values.model.name (include "valence.modelVersion" .) .Values.model.digest }}
spec:
  serviceAccountName: {{ include "valence.serviceAccountName" . }}
  automountServiceAccountToken: false
  # Else a Service called valence would bring variables VALENCE_PORT, VALENCE_SERVICE_HOST, … among the settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "valence.drain.graceSeconds" . }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "valence.podSecurity" . | nindent 4 }}
  {{- with include "valence.placement" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "valence.selectorLabels" $ | nindent 10 }}
      matchLabelKeys: [{{ ternary "rollouts-pod-template-hash" "pod-template-hash" $.Values.rollout.enabled }}]
    {{- end }}
  {{- if eq .Values.model.source "registry" }}
  initContainers:
    - name: fetch-model
      image: {{ include "valence.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [python, -m, bento.fetch]
      args:
        - {{ printf "models:/%s/%s" .Values.model.name (include "valence.modelVersion" .) }}
        - {{ $model }}
        - --digest
        - {{ .Values.model.digest }}
      env:
        {{- include "valence.registryEnv" . | nindent 8 }}
        - name: VALENCE_CACHE_DIR
          value: /tmp/cache
      resources:
        {{- include "valence.resources" . | nindent 8 }}
      securityContext:
        {{- include "valence.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        - name: model
          mountPath: /model
  {{- end }}
  containers:
    - name: valence
      image: {{ include "valence.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        {{- $env | nindent 8 }}
      ports:
        - name: http
          containerPort: 3000
      # Ready takes about two seconds; a busy node is given a minute.
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 1
        timeoutSeconds: 2
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      resources:
        {{- include "valence.resources" . | nindent 8 }}
      securityContext:
        {{- include "valence.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- if eq .Values.model.source "registry" }}
        - name: model
          mountPath: /model
          readOnly: true
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
    {{- if eq .Values.model.source "registry" }}
    - name: model
      emptyDir: {sizeLimit: 2Gi}
    {{- end }}
{{- end -}}

{{- define "valence.env" -}}
{{- $root := index . 0 -}}
{{- $model := index . 1 -}}
{{- with $root.Values -}}
- name: VALENCE_MODEL
  value: {{ $model }}
- name: VALENCE_MODEL_VERSION
  value: {{ include "valence.modelVersion" $root | quote }}
- name: VALENCE_MODEL_DIGEST
  value: {{ .model.digest }}
{{- with include "valence.registryEnv" $root }}
{{ . }}
{{- end }}
- name: VALENCE_CACHE_DIR
  value: /tmp/cache
# One process, which uses the whole CPU limit: were it one of several, its death would not be the pod's.
- name: VALENCE_WORKERS
  value: "1"
- name: VALENCE_LANES
  value: "0"
- name: VALENCE_MAX_QUEUE_MS
  value: {{ .server.maxQueueMs | int | quote }}
- name: VALENCE_MAX_TEXT_CHARS
  value: {{ .server.maxTextChars | int | quote }}
- name: VALENCE_MAX_BATCH_TEXTS
  value: {{ .server.maxBatchTexts | int | quote }}
{{- with .server.corsOrigins }}
- name: VALENCE_CORS_ORIGINS
  value: {{ join "," . | quote }}
{{- end }}
- name: VALENCE_DRAIN_SERVE_MS
  value: {{ mul (include "valence.drain.serveSeconds" $root) 1000 | quote }}
- name: VALENCE_LOG_LEVEL
  value: {{ .server.logLevel }}
{{- with .server.adminTokenSecret }}
{{- if .name }}
- name: VALENCE_ADMIN_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}
{{- end }}
{{- with .server.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $root.Values.server.traceRatio | quote }}
{{- end }}
{{- end -}}
{{- end -}}

{{- define "valence.registryEnv" -}}
{{- with .Values.model -}}
{{- if .registrySecret.name -}}
- name: VALENCE_REGISTRY
  valueFrom:
    secretKeyRef: {name: {{ .registrySecret.name }}, key: {{ .registrySecret.key }}}
{{- else if .registry -}}
- name: VALENCE_REGISTRY
  value: {{ .registry }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "valence.resources" -}}
requests:
  cpu: {{ .Values.resources.cpu | quote }}
  memory: {{ .Values.resources.memory }}
limits:
  cpu: {{ .Values.resources.cpu | quote }}
  memory: {{ .Values.resources.memory }}
{{- end -}}

{{- define "valence.placement" -}}
{{- range $name := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $.Values $name }}
{{ dict $name . | toYaml }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Pod Security "restricted", and a read-only root beyond it. */}}
{{- define "valence.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "valence.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
