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

// getOperation describes a GET.
func getOperation(id, path, tag, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tag}, Summary: summary,
		Description: description,
	}
}

// handle registers an operation without parameters that writes its response itself.
func (s *Server) handle(op huma.Operation, handler http.HandlerFunc) {
	huma.Register(s.api, op, func(context.Context, *noInput) (*rawOutput, error) { return raw(handler), nil })
}

// metricsExample is what the description shows of /metrics.
const metricsExample = `# HELP eosin_switch_connected Whether the switch is connected
# TYPE eosin_switch_connected gauge
eosin_switch_connected{switch="host1",datapath_id="0000000000000001"} 1
`

// registerHealth adds the operations for operators, and the index.
func (s *Server) registerHealth() {
	const tag = "operation"
	huma.Register(s.api,
		getOperation("health", healthPath, tag, "Alive",
			"Answers 200 as soon as the controller serves. Needs no token."),
		func(context.Context, *noInput) (*oneOutput[Status], error) {
			return &oneOutput[Status]{Body: Status{"ok"}}, nil
		})
	s.setExample(healthPath, Status{"ok"})

	huma.Register(s.api,
		getOperation("ready", readyPath, tag, "Ready", "Answers 200 when the controller does its work, else 503 with "+
			"the reason."),
		func(ctx context.Context, _ *noInput) (*oneOutput[Status], error) {
			if ok, reason := s.Backend.Ready(ctx); !ok {
				return nil, Unavailable("%s", cmp.Or(reason, "the controller is not ready yet"))
			}
			return &oneOutput[Status]{Body: Status{"ready"}}, nil
		})
	s.setExample(readyPath, Status{"ready"})

	s.handle(
		getOperation("metrics", metricsPath, "metrics", "Metrics for Prometheus",
			"Text exposition of all metrics of the controller."),
		func(w http.ResponseWriter, r *http.Request) {
			if s.Metrics == nil {
				w.Header().Set("Content-Type", metricsType)
				return
			}
			s.Metrics.ServeHTTP(w, r)
		})
	s.describeText(metricsPath, metricsType, metricsExample)

	s.handle(
		getOperation("openapi", specPath, tag, "This description",
			"The OpenAPI 3.1 description of everything the server answers."),
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(s.spec) // fails only when the client is gone
		})
	s.describeSpec()

	// "{$}" matches / alone; in the description it is plain "/".
	s.handle(
		getOperation("index", "/{$}", tag, "Index", "The web page where there is one, else what there is and where."),
		func(w http.ResponseWriter, r *http.Request) {
			if s.Page != nil {
				s.Page.ServeHTTP(w, r)
				return
			}
			writeJSON(w, http.StatusOK, s.index())
		})
	s.describeIndex()
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
