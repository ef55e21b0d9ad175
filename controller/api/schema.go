package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// schemaNames are the names in the OpenAPI document of types that are called otherwise in Go.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[probespec.Request](): "ProbeRequest",
	reflect.TypeFor[probespec.Result]():  "ProbeResult",
	reflect.TypeFor[probespec.End]():     "ProbeEnd",
	reflect.TypeFor[probespec.Status]():  "Probe",
}

// newRegistry returns the schemas of the OpenAPI document, with those of types that know nothing of it.
func newRegistry() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if name := schemaNames[t]; name != "" {
			return name
		}
		return huma.DefaultSchemaNamer(t, hint)
	})
	r.RegisterTypeAlias(reflect.TypeFor[probespec.Seconds](), reflect.TypeFor[float64]())
	r.RegisterTypeAlias(reflect.TypeFor[probespec.Duration](), reflect.TypeFor[durationSchema]())
	return r
}

// durationSchema stands for probespec.Duration.
type durationSchema struct{}

// Schema describes both forms.
func (durationSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A string with a unit, or a number of seconds",
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Examples: []any{"200ms"}},
			{Type: huma.TypeNumber, Examples: []any{0.2}},
		},
	}
}

// finishProbeSchemas adds what the tags of probespec's fields cannot say: limits, and objects that may be null.
func finishProbeSchemas(r huma.Registry) {
	request := r.SchemaFromRef(schemaOf[probespec.Request](r).Ref)
	request.AdditionalProperties = false // the server refuses unknown fields
	for name, limit := range map[string]float64{
		"count": probespec.MaxCount, "color": probespec.MaxColor, "size": probespec.MaxSize,
	} {
		request.Properties[name].Maximum = &limit
	}
	longest := probespec.MaxName
	request.Properties["source"].MaxLength, request.Properties["destination"].MaxLength = &longest, &longest
	request.Properties["count"].Default = probespec.DefaultCount
	kind := request.Properties["type"]
	kind.Default, kind.Description = probe.ICMP.String(), probe.TypeNames()
	kind.Examples = []any{probe.ICMP.String()}

	loss := r.SchemaFromRef(schemaOf[probespec.Loss](r).Ref)
	loss.Properties["where"] = nullable(schemaOf[Place](r))
	result := r.SchemaFromRef(schemaOf[probespec.Result](r).Ref)
	result.Properties["rtt_seconds"] = nullable(schemaOf[probespec.RTT](r))
	result.Properties["loss"] = nullable(schemaOf[probespec.Loss](r))
}

// schemaOf returns a reference to the schema of T, which is registered if it is new.
func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// nullable returns a schema that also allows null, for values that are objects.
func nullable(s *huma.Schema) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{s, {Type: "null"}}}
}
