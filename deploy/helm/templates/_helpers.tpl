{{- define "regulars.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "regulars.labels" -}}
app.kubernetes.io/name: regulars
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "regulars.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{- define "regulars.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "regulars.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - secretRef: {name: {{ required "secret: name a Secret with REGULARS_API_KEY and REGULARS_DATABASE_URL" .Values.secret | quote }}}
env:
  - {name: REGULARS_UNASKED, value: {{ required "unasked: allow or refuse" .Values.unasked | quote }}}
  - {name: REGULARS_RUNTIME_DIR, value: /run/regulars}
{{- range $name, $value := .Values.settings }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "regulars.registry" -}}
- name: registry
  persistentVolumeClaim:
    claimName: {{ .Values.registry.existingClaim | default (printf "%s-registry" (include "regulars.name" .)) }}
- name: shared
  emptyDir: {medium: Memory, sizeLimit: {{ .Values.shared }}}
{{- end }}
