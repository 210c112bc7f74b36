{{/* The user's annotations, and below them what the AWS Load Balancer Controller makes the NLB of. */}}
{{- define "valence.serviceAnnotations" -}}
{{- $own := dict -}}
{{- if eq .Values.service.type "LoadBalancer" -}}
{{- $own = include "valence.awsAnnotations" . | fromYaml -}}
{{- end -}}
{{- merge (deepCopy .Values.service.annotations) $own | toYaml -}}
{{- end -}}

{{/* Always there, so that no cluster with that controller falls back to a load balancer that faces the internet. */}}
{{- define "valence.awsAnnotations" -}}
{{- $of := "service.beta.kubernetes.io/aws-load-balancer" -}}
{{ $of }}-type: external
{{ $of }}-nlb-target-type: ip
{{ $of }}-scheme: {{ .Values.service.aws.scheme }}
{{ $of }}-attributes: load_balancing.cross_zone.enabled=true
{{ $of }}-target-group-attributes: {{ include "valence.targetGroupAttributes" . }}
# A pod that drains is not ready, which takes it out sooner than the deregistration does.
{{ $of }}-healthcheck-protocol: http
{{ $of }}-healthcheck-path: /readyz
{{ $of }}-healthcheck-interval: "5"
# The controller's default is longer than the interval, which AWS refuses.
{{ $of }}-healthcheck-timeout: "2"
{{ $of }}-healthcheck-healthy-threshold: "2"
{{ $of }}-healthcheck-unhealthy-threshold: "2"
{{- with .Values.service.aws.certificateArn }}
{{ $of }}-ssl-cert: {{ . }}
{{ $of }}-ssl-ports: {{ $.Values.service.port | quote }}
{{ $of }}-ssl-negotiation-policy: ELBSecurityPolicy-TLS13-1-2-2021-06
{{- end }}
{{- end -}}

{{/* By default an NLB cuts the connections of a target that turns unhealthy, as one that drains does at once. */}}
{{- define "valence.targetGroupAttributes" -}}
{{- list
  (printf "deregistration_delay.timeout_seconds=%s" (include "valence.drain.deregistrationSeconds" .))
  "target_health_state.unhealthy.connection_termination.enabled=false"
  (printf "target_health_state.unhealthy.draining_interval_seconds=%s" (include "valence.drain.graceSeconds" .))
  | join "," -}}
{{- end -}}
