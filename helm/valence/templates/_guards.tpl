{{/* What a schema cannot say: values that contradict one another are refused with the remedy. */}}
{{- define "valence.guards" -}}
{{- with .Values.model }}
  {{- if or (not .digest) (not (toString .version)) }}
    {{- fail "model.version and model.digest are required: add `-f .valence/image/values.yaml`, which `make image` writes, or set both (`python -m bento.build` prints them)" }}
  {{- end }}
  {{- if and .registry .registrySecret.name }}
    {{- fail "model.registry and model.registrySecret.name exclude one another: unset one" }}
  {{- end }}
  {{- if and (eq .source "registry") (not .registry) (not .registrySecret.name) }}
    {{- fail "model.source=registry needs model.registry (MLflow's URL) or model.registrySecret.name" }}
  {{- end }}
{{- end }}
{{- with .Values.autoscaling }}
  {{- if and (ne .mode "none") (gt (int .minReplicas) (int .maxReplicas)) }}
    {{- fail (printf "autoscaling.minReplicas=%d is above autoscaling.maxReplicas=%d" (int .minReplicas) (int .maxReplicas)) }}
  {{- end }}
{{- end }}
{{- with .Values.podDisruptionBudget }}
  {{- $pods := include "valence.fewestPods" $ | int }}
  {{- if and .enabled (ge (int .maxUnavailable) $pods) }}
    {{- fail (printf "podDisruptionBudget.maxUnavailable=%d protects none of %d pods: raise %s, or set podDisruptionBudget.enabled=false" (int .maxUnavailable) $pods (ternary "autoscaling.minReplicas" "replicas" (ne $.Values.autoscaling.mode "none"))) }}
  {{- end }}
{{- end }}
{{- with .Values.service }}
  {{- if and (eq .type "LoadBalancer") (eq .aws.scheme "internet-facing") (not .sourceRanges) }}
    {{- fail "service.aws.scheme=internet-facing needs service.sourceRanges: the API has no authentication of its own, so name who may call" }}
  {{- end }}
  {{- if and .nodePort (ne .type "NodePort") }}
    {{- fail (printf "service.nodePort is for service.type=NodePort, which is %s here: unset it" .type) }}
  {{- end }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.from) (ne .Values.service.type "ClusterIP") }}
  {{- fail (printf "networkPolicy.from is empty, so nothing outside this namespace gets through the %s Service: name the load balancer's subnets" .Values.service.type) }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
  {{- fail "ingress.host is required where ingress.enabled is true" }}
{{- end }}
{{- end -}}
