package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const (
	healthPath  = "/healthz"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
	specPath    = apiPrefix + "/openapi.json"

	indexPattern = "/{$}"
)

// Status is the response of the health checks.
type Status struct {
	Status string `json:"status" example:"ok"`
}

// Index is the response of / without a web page.
type Index struct {
	Program string            `json:"program" example:"eosin"`
	Version string            `json:"version" example:"v1.0.0"`
	Paths   map[string]string `json:"paths" doc:"What there is, and where"`
}

// handle registers an operation without parameters that writes its response itself.
func (s *Server) handle(op huma.Operation, handler http.HandlerFunc) {
	huma.Register(s.api, op, func(context.Context, *struct{}) (*huma.StreamResponse, error) { return raw(handler) })
}

// metricsExample is what the description shows of /metrics.
const metricsExample = `# HELP eosin_switch_connected Whether the switch is connected
# TYPE eosin_switch_connected gauge
eosin_switch_connected{switch="host1",datapath_id="0000000000000001"} 1
`

// registerHealth adds the operations for operators, and the index.
func (s *Server) registerHealth() {
	get := func(path, id, tag, summary, description string, ok content) huma.Operation {
		return s.operation(http.MethodGet, path, id, tag, summary, description, ok)
	}
	const tag = "operation"
	huma.Register(s.api, get(healthPath, "health", tag, "Alive",
		"Answers 200 as soon as the controller serves. Needs no token.", example(Status{"ok"})),
		func(context.Context, *struct{}) (*oneOutput[Status], error) {
			return &oneOutput[Status]{Status{"ok"}}, nil
		})
	huma.Register(s.api, get(readyPath, "ready", tag, "Ready",
		"Answers 200 when the controller does its work, else 503 with the reason.", example(Status{"ready"})),
		func(ctx context.Context, _ *struct{}) (*oneOutput[Status], error) {
			if ok, reason := s.Backend.Ready(ctx); !ok {
				return nil, Unavailable("%s", cmp.Or(reason, "the controller is not ready yet"))
			}
			return &oneOutput[Status]{Status{"ready"}}, nil
		})
	s.handle(get(metricsPath, "metrics", "metrics", "Metrics for Prometheus",
		"Text exposition of all metrics of the controller.", content{metricsType: textMedia(metricsExample)}),
		func(w http.ResponseWriter, r *http.Request) {
			if s.Metrics == nil {
				w.Header().Set("Content-Type", metricsType)
				return
			}
			s.Metrics.ServeHTTP(w, r)
		})
	s.handle(get(specPath, "openapi", tag, "This description",
		"The OpenAPI 3.1 description of everything the server answers.",
		content{jsonType: {Schema: &huma.Schema{Type: huma.TypeObject}, Example: map[string]any{"openapi": "3.1.0"}}}),
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			_, _ = w.Write(s.spec) // fails only when the client is gone
		})
	s.handle(responding(get(indexPattern, "index", tag, "Index",
		"The web page where there is one, else what there is and where.",
		content{
			jsonType:    {Schema: schemaOf[Index](s.registry()), Example: s.index()},
			"text/html": textMedia("<!doctype html>"),
		}), "The page, or what there is and where"),
		func(w http.ResponseWriter, r *http.Request) {
			if s.Page != nil {
				s.Page.ServeHTTP(w, r)
				return
			}
			writeJSON(w, http.StatusOK, s.index())
		})
}

func (s *Server) index() Index {
	return Index{
		Program: "eosin", Version: s.Version,
		Paths: map[string]string{
			"api": apiPrefix + "/switches", "description": specPath, "events": eventsPath, "probe": blackboxPath +
				"?source=S&target=D&module=icmp",
			"metrics": metricsPath, "health": healthPath, "ready": readyPath,
		},
	}
}
