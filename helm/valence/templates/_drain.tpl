{{/*
The times of a drain, all from drain.serveSeconds. A pod that is told to stop fails its readiness at once, serves on for
serveSeconds while endpoints and load balancers forget it, then refuses what is new and empties its queue. The service
does that itself on SIGTERM, so there is no preStop hook, which would only hide the end from it.
*/}}

{{/* Serve on, the longest wait in the queue, the longest request (256 long texts on one CPU), and a margin. */}}
{{- define "valence.drain.graceSeconds" -}}
{{- $queue := divf .Values.server.maxQueueMs 1000 | ceil | int -}}
{{- add .Values.drain.serveSeconds $queue 30 5 -}}
{{- end -}}

{{/* The load balancer is told a little after the pod: it has to be done while the pod still serves. */}}
{{- define "valence.drain.deregistrationSeconds" -}}
{{- max 0 (sub .Values.drain.serveSeconds 60) -}}
{{- end -}}
