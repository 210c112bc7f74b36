{{/* Up at once, as users wait; down one pod at a time, as each drain moves its users. */}}
{{- define "valence.scalingBehaviour" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
scaleDown:
  stabilizationWindowSeconds: 300
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}
