{{/*
The times of a drain, all from drain.serveSeconds. A pod that is told to stop fails its readiness at once, serves on for
serveSeconds while endpoints and load balancers forget it, then refuses what is new and empties its queue. The service
does that itself on SIGTERM, so there is no preStop hook, which would only hide the end from it.
*/}}

{{/* An NLB goes on sending connections to a target for about two minutes after it is told not to. */}}
{{- define "valence.drain.serveSeconds" -}}
{{- .Values.drain.serveSeconds | default (ternary 180 20 (eq .Values.service.type "LoadBalancer")) | int -}}
{{- end -}}

{{/*
Serve on, the longest wait in the queue, the longest request (256 long texts on one CPU; longer texts only take the place
of others in a body that is no larger), and a margin.
*/}}
{{- define "valence.drain.graceSeconds" -}}
{{- $queue := divf .Values.server.maxQueueMs 1000 | ceil | int -}}
{{- $longest := divf (mul 30 .Values.server.maxBatchTexts) 256 | ceil | int | max 30 -}}
{{- add (include "valence.drain.serveSeconds" .) $queue $longest 5 -}}
{{- end -}}

{{/* The load balancer is told a little after the pod: it has to be done while the pod still serves. */}}
{{- define "valence.drain.deregistrationSeconds" -}}
{{- max 0 (sub (include "valence.drain.serveSeconds" .) 60) -}}
{{- end -}}
