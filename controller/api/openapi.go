package api

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/danielgtaylor/huma/v2"
)

const (
	jsonType    = "application/json"
	metricsType = "text/plain; version=0.0.4; charset=utf-8"
)

// describe returns huma's configuration: the head of the OpenAPI document, and strictness. An operation of ours serves
// the document, since the server adds to it after registration.
func describe(version string) huma.Config {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Eosin", Version: version,
				Description: "State and probes of an OpenFlow controller. Errors are problem documents (RFC 9457).",
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
		DefaultFormat:                jsonType,
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{plainProblems},
	}
	config.Formats = map[string]huma.Format{jsonType: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	config.AllowAdditionalPropertiesByDefault = true
	return config
}

// content is what a response may be, by media type. Where the schema of JSON is left out, huma derives it.
type content = map[string]*huma.MediaType

// example is the content of a response whose schema huma derives.
func example(value any) content { return content{jsonType: {Example: value}} }

// textMedia describes text.
func textMedia(example string) *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
}

// operation describes an operation, its successful response, and the problem that it responds with otherwise.
func (s *Server) operation(method, path, id, tag, summary, description string, ok content) huma.Operation {
	problem := content{problemType: {Schema: schemaOf[Problem](s.registry()), Example: exampleProblem}}
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description,
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: ok},
			"default": {Description: "A problem document", Content: problem},
		},
	}
}

// responding gives the successful response of an operation a description of its own.
func responding(op huma.Operation, description string) huma.Operation {
	op.Responses["200"].Description = description
	return op
}

// registry returns the schemas of the description.
func (s *Server) registry() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// finishSpec returns the OpenAPI document.
func (s *Server) finishSpec() []byte {
	doc := s.api.OpenAPI()
	doc.Paths[healthPath].Get.Security = []map[string][]string{{}}
	// "{$}" matches / alone; in the description it is plain "/".
	doc.Paths["/"] = doc.Paths[indexPattern]
	delete(doc.Paths, indexPattern)
	// Errors of huma's own form are never sent, see plainProblems.
	maps.DeleteFunc(s.registry().Map(), func(name string, _ *huma.Schema) bool {
		return name == "ErrorModel" || name == "ErrorDetail"
	})
	spec, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("the description cannot be written: %v", err))
	}
	return append(spec, '\n')
}
