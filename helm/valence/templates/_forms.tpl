{{/*
What values look like, in words: a schema would answer with the pattern alone. Each of a list is looked at; what may hold
a password is not repeated.
*/}}
{{- define "valence.forms" -}}
image.repository:
  like: '^([a-z0-9.-]+:[0-9]+/)?[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$'
  write: the image's name alone, such as registry.example.org/team/valence, or add `-f .valence/image/values.yaml`, which
    `make image NAME=…` writes; its tag is image.tag, its digest image.digest
image.tag:
  like: '^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$'
  write: one tag, as `make image` prints it
image.digest:
  like: '^(sha256:[0-9a-f]{64})?$'
  write: 'sha256: and 64 of 0-9a-f, as the registry shows it'
image.pullSecrets:
  like: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$'
  write: names of Secrets in the release's namespace
model.name:
  like: '^[A-Za-z0-9][A-Za-z0-9._-]*$'
  write: the model's name in the registry alone, such as valence-sentiment
model.version:
  like: '^([1-9][0-9]{0,8})?$'
  write: the number that `python -m bento.resolve models:/NAME@ALIAS` prints; what an alias names changes, and going back
    would not bring the former model back
model.digest:
  like: '^(sha256:[0-9a-f]{64})?$'
  write: 'sha256: and 64 of 0-9a-f, as `make image` writes them to .valence/image/values.yaml'
model.registry:
  like: '^(https?://[^@/]+(/[^@]*)?)?$'
  write: http(s)://host and no credentials; an address with credentials goes into a Secret, model.registrySecret.name
server.corsOrigins:
  like: '^(\*|https?://[A-Za-z0-9.:\[\]-]+)$'
  write: origins without a path, such as https://example.org, or *
server.otlpEndpoint:
  like: '^(https?://[^@]+)?$'
  write: http(s)://host:port and no credentials
resources.cpu:
  like: '^([1-9][0-9]*m|[1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)$'
  write: CPUs, such as 2 or 500m
resources.memory:
  like: '^[1-9][0-9]*(Mi|Gi)$'
  write: whole Mi or Gi, such as 768Mi
service.sourceRanges:
  like: '^[0-9a-fA-F.:]+/[0-9]{1,3}$'
  write: CIDRs, such as 10.0.0.0/8, or 203.0.113.7/32 for one address
service.aws.certificateArn:
  like: '^(arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+)?$'
  write: the ARN of your certificate, which `aws acm list-certificates` prints
ingress.host:
  like: '^((\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$'
  write: the host's name alone, such as sentiment.example.org, without https:// and path
networkPolicy.from:
  like: '^[0-9a-fA-F.:]+/[0-9]{1,3}$'
  write: ipBlock.cidr and ipBlock.except as CIDRs, such as 10.0.0.0/8, or 203.0.113.7/32 for one address
serviceAccount.roleArn:
  like: '^(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?$'
  write: the ARN of an IAM role, such as arn:aws:iam::ACCOUNT:role/valence
monitoring.namespace:
  like: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$'
  write: a namespace's name
monitoring.prometheusUrl:
  like: '^https?://[^@]+$'
  write: http(s)://host:port and no credentials
monitoring.docsUrl:
  like: '^(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%/-]*)?)?$'
  write: where docs/ can be read, such as https://git.example.org/valence/blob/main/docs
{{- end -}}

{{- define "valence.checkForms" -}}
{{- $networks := list }}
{{- range .Values.networkPolicy.from }}
  {{- with .ipBlock }}
    {{- $networks = concat $networks (list .cidr) (.except | default list) }}
  {{- end }}
{{- end }}
{{- range $path, $form := include "valence.forms" . | fromYaml }}
  {{- $value := $.Values }}
  {{- range splitList "." $path }}
    {{- $value = index $value . }}
  {{- end }}
  {{- if eq $path "networkPolicy.from" }}
    {{- $value = $networks }}
  {{- end }}
  {{- range kindIs "slice" $value | ternary $value (list $value) }}
    {{- if and (kindIs "string" .) (not (regexMatch $form.like .)) }}
      {{- fail (printf "%s=%s is refused: write %s" $path (contains "@" . | ternary "…" .) $form.write) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
