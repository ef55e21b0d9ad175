package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

func TestHealth(t *testing.T) {
	b := apitest.Lab()
	b.NotReady = "no configuration is loaded"
	url := serve(t, b, nil)
	if a := ask(t, "GET", url+"/healthz", ""); a.StatusCode != 200 || a.body != "{\"status\":\"ok\"}\n" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	p := wantProblem(t, ask(t, "GET", url+"/readyz", ""), 503, api.CodeUnavailable)
	if p.Detail != b.NotReady {
		t.Errorf("%+v", p)
	}
	if a := ask(t, "GET", serve(t, apitest.Lab(), nil)+"/readyz", ""); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestMetricsPageAndIndex(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "eosin_test", Help: "A test"}))
	url := serve(t, apitest.Lab(), func(o *api.Options) {
		o.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
		o.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_,
				_ = io.WriteString(w, "<!doctype html>page")
		})
	})
	if a := ask(t, "GET", url+"/metrics", ""); !strings.Contains(a.body, "\neosin_test 0\n") {
		t.Errorf("%s", a.body)
	}
	if a := ask(t, "GET", url+"/", ""); a.body != "<!doctype html>page" {
		t.Errorf("%s", a.body)
	}
	golden(t, "index.json", indent(t, ask(t, "GET", serve(t, apitest.Lab(), nil)+"/", "").body))
}

func TestBlackboxPage(t *testing.T) {
	_, url := lab(t)
	for _, c := range []struct {
		query string
		want  map[string]float64 // a name may carry its one label's value after a space
	}{
		{"source=vm1&target=vm2", map[string]float64{"probe_success": 1, "probe_icmp_duration_seconds rtt": 0.000412}},
		{"source=vm1&target=10.0.3.2&module=arp", map[string]float64{"probe_success": 1}},
		{"source=vm1&target=vm3", map[string]float64{"probe_success": 0, "probe_failure_info guest_silent": 1}},
		{"source=vm1&target=vm9", map[string]float64{"probe_success": 0, "probe_failure_info unknown_name": 1}},
		{"source=vm5&target=vm1", map[string]float64{"probe_success": 0, "probe_failure_info source_down": 1}},
	} {
		a := ask(t, "GET", url+"/probe?"+c.query, "", "X-Prometheus-Scrape-Timeout-Seconds: 0.51")
		if a.StatusCode != 200 {
			t.Fatalf("%s: %d %s", c.query, a.StatusCode, a.body)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(a.body))
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		got := map[string]float64{}
		for name, family := range families {
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetGauge().GetValue()
			}
		}
		for name, value := range c.want {
			if v, there := got[name]; !there || v != value {
				t.Errorf("%s: %s is %v, %v; want %v", c.query, name, v, there, value)
			}
		}
		if _, there := got["probe_duration_seconds"]; !there {
			t.Errorf("%s: no probe_duration_seconds: %v", c.query, got)
		}
		if got["probe_duration_seconds"] > 0.5 {
			t.Errorf("%s: took %v, longer than the scrape's timeout allows", c.query, got["probe_duration_seconds"])
		}
	}
	for query, detail := range map[string]string{
		"source=vm1":                         "target is missing",
		"target=vm1":                         "source is missing",
		"source=vm1&target=vm2&module=http":  "is not a type of probe; use icmp, icmp6 or arp",
		"source=vm1&target=vm2&module=tcp:1": "that cannot be run yet",
		"source=vm1&target=vm2&module=tcp:0": "needs a port from 1 to 65535, e.g. tcp:80",
	} {
		p := wantProblem(t, ask(t, "GET", url+"/probe?"+query, ""), 400, api.CodeInvalid)
		if !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: %q, want %q", query, p.Detail, detail)
		}
	}
	a := ask(t, "GET", url+"/probe?source=vm1&target=vm3&debug=true", "", "X-Prometheus-Scrape-Timeout-Seconds: 0.6")
	for _, want := range []string{
		"Verdict unreachable: 1 sent, 0 received", "Lost: guest_silent: delivered",
		"it answers ARP", "probe_success 0",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %q in %s", want, a.body)
		}
	}
}

func TestShutdownEndsEverything(t *testing.T) {
	b := apitest.Lab()
	probing := make(chan struct{})
	b.OnProbe = func(context.Context) { close(probing) }
	address, end := listen(t, b, api.Limits{})
	url := "http://" + address
	lines, _ := follow(t, url+"/api/v1/events?after=0")
	until(t, lines, "id: ")
	answers := make(chan answer, 1)
	go func() {
		answers <- ask(t, "POST", url+"/api/v1/probes", `{"source":"vm1","destination":"vm2","count":1000}`)
	}()
	<-probing
	began := time.Now()
	if err := end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	p := wantProblem(t, <-answers, 503, api.CodeUnavailable)
	if p.Detail != "the controller is shutting down" {
		t.Errorf("%+v", p)
	}
	for lines.Scan() { // ends, because the stream does
	}
}

func TestDescription(t *testing.T) {
	_, url := lab(t)
	a := ask(t, "GET", url+"/api/v1/openapi.json", "")
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", a.StatusCode, a.Header)
	}
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader([]byte(a.body)))
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	checkReferences(t, "", doc, schemas)

	paths := doc["paths"].(map[string]any)
	var operations int
	ids := map[string]bool{}
	for path, item := range paths {
		for method, value := range item.(map[string]any) {
			operations++
			op := value.(map[string]any)
			at := method + " " + path
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" || op["description"] == "" {
				t.Errorf("%s: id %q is missing or not its own, or there is no summary or description", at, id)
			}
			ids[id] = true
			responses := op["responses"].(map[string]any)
			if responses["default"] == nil || responses["200"] == nil {
				t.Errorf("%s: responses %v", at, responses)
			}
			for status, r := range responses {
				content := r.(map[string]any)["content"].(map[string]any)
				for mediaType, m := range content {
					media := m.(map[string]any)
					examples, _ := media["examples"].(map[string]any)
					if media["example"] == nil && len(examples) == 0 {
						t.Errorf("%s: no example for %s %s", at, status, mediaType)
					}
					if media["schema"] == nil {
						t.Errorf("%s: no schema for %s %s", at, status, mediaType)
					}
				}
			}
			if strings.Contains(path, "{") == (op["parameters"] == nil) && strings.Contains(path, "{") {
				t.Errorf("%s: its path has a parameter that is not described", at)
			}
		}
	}
	for at, want := range map[string]string{
		"post /api/v1/probes": "How the probe ended", "get /api/v1/events": "Events",
		"get /": "The page, or what there is and where", "get /metrics": "OK",
	} {
		method, path, _ := strings.Cut(at, " ")
		responses := paths[path].(map[string]any)[method].(map[string]any)["responses"].(map[string]any)
		if got := responses["200"].(map[string]any)["description"]; got != want {
			t.Errorf("%s: its response is described as %v, want %q", at, got, want)
		}
	}
	if want := 9*2 + 8; operations != want {
		t.Errorf("%d operations are described, want %d", operations, want)
	}
	// The example of each GET that needs no name is what a real answer looks like: the server has the members that it
	// shows.
	for path, item := range paths {
		if strings.Contains(path, "{") || path == "/probe" || path == "/api/v1/openapi.json" {
			continue
		}
		get := item.(map[string]any)["get"].(map[string]any)
		content := get["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)
		media, ok := content["application/json"].(map[string]any)
		if !ok {
			continue
		}
		var real any
		if err := json.Unmarshal([]byte(ask(t, "GET", url+path, "", "Accept: application/json").body),
			&real); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for member := range first(media["example"]) {
			if _, there := first(real)[member]; !there {
				t.Errorf("%s: the example has %s, the answer %v has not", path, member, first(real))
			}
		}
	}
}

// first returns an object, or the first object of a list.
func first(value any) map[string]any {
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	object, _ := value.(map[string]any)
	return object
}

// checkReferences checks that every reference leads to a schema.
func checkReferences(t *testing.T, at string, value any, schemas map[string]any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if ref, ok := member.(string); ok && name == "$ref" {
				if _, there := schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !there {
					t.Errorf("%s: %s leads nowhere", at, ref)
				}
			}
			checkReferences(t, at+"/"+name, member, schemas)
		}
	case []any:
		for _, member := range v {
			checkReferences(t, at, member, schemas)
		}
	}
}
