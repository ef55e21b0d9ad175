package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// describe returns huma's configuration: the head of the OpenAPI document, and strictness. An operation of ours serves
// the document, since much is added to it after registration.
func describe(version string) huma.Config {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Eosin", Version: version,
				Description: "State and probes of an OpenFlow controller. Errors are problem documents (RFC 9457).",
				License:     nil,
			},
			Servers: []*huma.Server{{URL: "/", Description: "The server this description comes from"}},
			Tags: []*huma.Tag{
				{Name: "state", Description: "What the controller knows"},
				{Name: "probes", Description: "Probes on demand"},
				{Name: "events", Description: "What happens"},
				{Name: "metrics", Description: "For Prometheus"},
				{Name: "operation", Description: "For those who run the controller"},
			},
			Components: &huma.Components{
				Schemas:         newRegistry(),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}},
			},
			// The token is optional, as the server may have none.
			Security: []map[string][]string{{"token": {}}, {}},
		},
		Formats: map[string]huma.Format{
			"application/json": huma.DefaultJSONFormat,
			"json":             huma.DefaultJSONFormat,
		},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{plainProblems},
	}
	config.AllowAdditionalPropertiesByDefault = true
	return config
}

// operation returns a registered operation by its path.
func (s *Server) operation(method, path string) *huma.Operation {
	item := s.api.OpenAPI().Paths[path]
	if item == nil {
		panic("no operation at " + path)
	}
	if method == http.MethodPost {
		return item.Post
	}
	return item.Get
}

// registry returns the schemas of the description.
func (s *Server) registry() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// setExample sets the example of the successful response of a GET.
func (s *Server) setExample(path string, example any) {
	s.operation(http.MethodGet, path).Responses["200"].Content["application/json"].Example = example
}

// answers describes the response of an operation that writes it itself.
func (s *Server) answers(method, path, description string, content map[string]*huma.MediaType) {
	s.operation(method, path).Responses["200"] = &huma.Response{Description: description, Content: content}
}

// textMedia describes text.
func textMedia(example string) *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
}

// describeText describes a GET that responds with text.
func (s *Server) describeText(path, contentType, example string) {
	s.answers(http.MethodGet, path, "OK", map[string]*huma.MediaType{contentType: textMedia(example)})
}

// describeProbe describes POST probes: its request, and both forms of its response.
func (s *Server) describeProbe() {
	s.operation(http.MethodPost, probesPath).RequestBody = &huma.RequestBody{
		Required: true,
		Content: map[string]*huma.MediaType{
			"application/json": {
				Schema: schemaOf[probespec.Request](s.registry()),
				Examples: map[string]*huma.Example{
					"least": {Summary: "All by default", Value: map[string]any{"source": "vm1", "destination": "vm2"}},
					"all": {Summary: "Everything said", Value: map[string]any{
						"source": "host1:vif1", "destination": "10.0.3.2", "type": "icmp", "count": 3,
						"interval": "200ms", "timeout": 0.5, "color": 61441, "size": 1400,
					}},
				},
			},
		},
	}
	schemaOf[ProbeUpdate](s.registry())
	finishProbeSchemas(s.registry())
	s.answers(http.MethodPost, probesPath, "How the probe ended", map[string]*huma.MediaType{
		"application/json": {
			Schema: schemaOf[probespec.Result](s.registry()),
			Examples: map[string]*huma.Example{
				"reachable":   {Value: exampleReachable},
				"unreachable": {Value: exampleUnreachable},
			},
		},
		streamType: textMedia("{\"event\":\"started\",\"color\":61441}\n{\"event\":\"reply\",\"seq\":1,\"rtt_seconds\":0.000412}\n"),
	})
}

// describeEvents describes GET events.
func (s *Server) describeEvents() {
	list := &huma.Schema{Type: huma.TypeArray, Items: schemaOf[Event](s.registry())}
	s.answers(http.MethodGet, eventsPath, "Events", map[string]*huma.MediaType{
		"text/event-stream": textMedia(eventText(exampleEvent)),
		"application/json":  {Schema: list, Example: []Event{exampleEvent}},
	})
	op := s.operation(http.MethodGet, eventsPath)
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "Last-Event-ID", In: "header", Description: "Id of the last event that was received",
		Schema: &huma.Schema{Type: huma.TypeString}, Example: strconv.FormatUint(exampleEvent.ID, 10),
	})
}

// describeBlackbox describes /probe.
func (s *Server) describeBlackbox() {
	s.describeText(blackboxPath, metricsType, "# HELP probe_success Displays whether or not the probe was a "+
		"success\n# TYPE probe_success gauge\nprobe_success 1\n")
	for _, p := range s.operation(http.MethodGet, blackboxPath).Parameters {
		p.Required = p.Name == "source" || p.Name == "target"
	}
}

// describeSpec describes the OpenAPI document.
func (s *Server) describeSpec() {
	s.answers(http.MethodGet, specPath, "OK", map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}, Example: map[string]any{"openapi": "3.1.0"}},
	})
}

// describeIndex describes /, and gives it its plain path.
func (s *Server) describeIndex() {
	paths := s.api.OpenAPI().Paths
	paths["/"] = paths["/{$}"]
	delete(paths, "/{$}")
	s.answers(http.MethodGet, "/", "The page, or what there is and where", map[string]*huma.MediaType{
		"application/json": {Schema: schemaOf[Index](s.registry()), Example: s.index()},
		"text/html":        textMedia("<!doctype html>"),
	})
}

// finishSpec describes the errors of every operation and returns the document.
func (s *Server) finishSpec() []byte {
	problem := &huma.Response{
		Description: "A problem document",
		Content: map[string]*huma.MediaType{problemType: {
			Schema:  schemaOf[Problem](s.registry()),
			Example: exampleProblem,
		}},
	}
	for _, item := range s.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil {
				op.Responses["default"] = problem
			}
		}
	}
	s.operation(http.MethodGet, healthPath).Security = []map[string][]string{{}}
	// Errors of huma's own form are never sent, see plainProblems.
	schemas := s.registry().Map()
	maps.DeleteFunc(schemas, func(name string, _ *huma.Schema) bool {
		return name == "ErrorModel" ||
			name == "ErrorDetail"
	})
	var spec bytes.Buffer
	enc := json.NewEncoder(&spec)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.api.OpenAPI()); err != nil {
		panic(fmt.Sprintf("the description cannot be written: %v", err))
	}
	return spec.Bytes()
}
