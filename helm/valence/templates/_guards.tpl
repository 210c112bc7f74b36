{{/* What a schema cannot say: values that contradict one another are refused with the remedy. */}}
{{- define "valence.guards" -}}
{{- include "valence.checkForms" . }}
{{- if eq .Values.image.tag "latest" }}
  {{- fail "image.tag=latest is refused, as it moves, and going back would not bring the former image back: write the tag that `make image` prints, or add `-f .valence/image/values.yaml`" }}
{{- end }}
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
  {{- if hasKey .annotations "service.beta.kubernetes.io/aws-load-balancer-scheme" }}
    {{- fail "service.annotations may not name the load balancer's scheme: set service.aws.scheme, which asks for whom it is" }}
  {{- end }}
  {{- if and .sourceRanges (ne .type "LoadBalancer") }}
    {{- fail (printf "service.sourceRanges is for service.type=LoadBalancer, which is %s here: unset it, and name who may call in networkPolicy.from" .type) }}
  {{- end }}
  {{- if and .aws.certificateArn (ne .type "LoadBalancer") }}
    {{- fail (printf "service.aws.certificateArn is for service.type=LoadBalancer, which is %s here: unset it; an Ingress has ingress.tlsSecret" .type) }}
  {{- end }}
  {{- if and .aws.certificateArn (eq (int .port) 80) }}
    {{- fail "service.aws.certificateArn would have TLS on port 80: set service.port=443" }}
  {{- end }}
  {{- if and .nodePort (ne .type "NodePort") }}
    {{- fail (printf "service.nodePort is for service.type=NodePort, which is %s here: unset it" .type) }}
  {{- end }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.from) (ne .Values.service.type "ClusterIP") }}
  {{- fail (printf "networkPolicy.from is empty, so nothing outside this namespace gets through the %s Service: name the load balancer's subnets" .Values.service.type) }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.from) .Values.ingress.enabled }}
  {{- fail "networkPolicy.from is empty, so the ingress controller does not get through: name its namespace" }}
{{- end }}
{{- if and .Values.serviceAccount.roleArn (not .Values.serviceAccount.create) }}
  {{- fail "serviceAccount.roleArn is for an account that the chart makes: set serviceAccount.create=true, or annotate yours with eks.amazonaws.com/role-arn" }}
{{- end }}
{{- with .Values.monitoring }}
  {{- $scraped := or .serviceMonitor .scrapedOtherwise }}
  {{- if and (has $.Values.autoscaling.mode (list "adapter" "keda")) (not $scraped) }}
    {{- fail (printf "autoscaling.mode=%s asks Prometheus for this release, which nothing scrapes: set monitoring.serviceMonitor=true, or monitoring.scrapedOtherwise=true where you see to it" $.Values.autoscaling.mode) }}
  {{- end }}
  {{- if and $.Values.rollout.enabled (not $scraped) }}
    {{- fail "rollout.enabled watches the canary through Prometheus, which nothing scrapes: set monitoring.serviceMonitor=true, or monitoring.scrapedOtherwise=true where you see to it" }}
  {{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
  {{- fail "ingress.host is required where ingress.enabled is true: name the host that it answers for, such as sentiment.example.org" }}
{{- end }}
{{- end -}}
