package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

// must are the fields that the public contract promises for each kind.
var must = map[string]string{
	"switches": "name datapath_id connected address role connected_since description",
	"ports":    "switch name number up mode networks native mac counters",
	"hosts":    "name mac ips network vlan switch port last_seen",
	"links":    "a b up forwarding kind latency_seconds",
	"networks": "name vlan vni",
	"tunnels":  "switch port type remote mode networks",
	"flows":    "switch table priority match actions",
	"probes":   "name type interval_seconds expect",
	"mesh":     "probe source destination expect ok verdict loss_ratio rtt_seconds last",
}

func TestListsAreGolden(t *testing.T) {
	_, url := lab(t)
	for kind, fields := range must {
		t.Run(kind, func(t *testing.T) {
			a := ask(t, "GET", url+"/api/v1/"+kind, "")
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("status %d, content type %s", a.StatusCode, a.Header.Get("Content-Type"))
			}
			golden(t, kind+".json", indent(t, a.body))
			var list []map[string]any
			if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list) == 0 {
				t.Fatalf("%d objects, %v", len(list), err)
			}
			for _, object := range list {
				for field := range strings.FieldsSeq(fields) {
					if _, there := object[field]; !there {
						t.Errorf("no %s in %v", field, object)
					}
				}
			}
		})
	}
}

func TestEmptyListsAreArrays(t *testing.T) {
	url := serve(t, &apitest.Backend{}, nil)
	for kind := range must {
		if got := ask(t, "GET", url+"/api/v1/"+kind, "").body; got != "[]\n" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestNarrowing(t *testing.T) {
	_, url := lab(t)
	for query, want := range map[string]int{
		"hosts?name=vm1":                      1,
		"hosts?name=10.0.3.2":                 1,
		"hosts?name=52:54:00:00:00:02":        1,
		"hosts?name=FD00::2":                  1,
		"hosts?name=nobody":                   0,
		"hosts?switch=host1":                  2,
		"hosts?network=red":                   1,
		"hosts?network=blue&switch=host1":     2,
		"ports?name=host1:vif1":               1,
		"ports?name=vx0":                      2,
		"ports?network=red":                   1,
		"links?switch=host2":                  1,
		"links?name=host2:vx0--host1:vx0":     1,
		"links?switch=host3":                  0,
		"tunnels?name=vx0":                    1,
		"switches?name=0000000000000002":      1,
		"flows?table=5":                       1,
		"flows?switch=host1":                  2,
		"flows?name=host2":                    0,
		"mesh?probe=blue-mesh":                2,
		"mesh?name=isolation":                 0,
		"probes?name=isolation":               1,
		"networks?name=" + "bl%75e":           1,
		"networks?name=" + "%F0%9F%98%80%00x": 0,
	} {
		a := ask(t, "GET", url+"/api/v1/"+query, "")
		var list []any
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list) != want {
			t.Errorf("%s: %d objects, want %d: %s", query, len(list), want, a.body)
		}
	}
}

func TestGetByName(t *testing.T) {
	_, url := lab(t)
	for path, want := range map[string]string{
		"switches/host1":                    `"datapath_id":"0000000000000001"`,
		"ports/host2:vx0":                   `"switch":"host2"`,
		"ports/vif1":                        `"number":1`,
		"hosts/10.0.3.3":                    `"name":"vm3"`,
		"hosts/host1%3Avif1":                "",
		"links/host1:vx0--host2:vx0":        `"kind":"tunnel"`,
		"networks/red":                      `"vni":5011`,
		"tunnels/host1:vx0":                 `"remote":"192.0.2.2"`,
		"probes/isolation":                  `"expect":"unreachable"`,
		"mesh/blue-mesh":                    `[{"probe":"blue-mesh"`,
		"mesh/isolation":                    `[]`,
		"flows/host1":                       `[{"switch":"host1"`,
		"flows/host2":                       `[]`,
		"switches/" + "%2e%2e%2fhosts":      "",
		"hosts/" + strings.Repeat("x", 999): "",
	} {
		a := ask(t, "GET", url+"/api/v1/"+path, "")
		if want == "" {
			wantProblem(t, a, http.StatusNotFound, api.CodeUnknownName)
			continue
		}
		if a.StatusCode != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	p := wantProblem(t, ask(t, "GET", url+"/api/v1/hosts/vmm2", ""), http.StatusNotFound, api.CodeUnknownName)
	if len(p.Candidates) != 5 || p.Candidates[0] != "vm2" {
		t.Errorf("candidates %v, want the nearest first", p.Candidates)
	}
	p = wantProblem(t, ask(t, "GET", url+"/api/v1/flows/host9", ""), http.StatusNotFound, api.CodeUnknownName)
	if !slices.Equal(p.Candidates, []string{"host1", "host2"}) {
		t.Errorf("candidates %v", p.Candidates)
	}
	p = wantProblem(t, ask(t, "GET", url+"/api/v1/ports/vx0", ""), http.StatusUnprocessableEntity, api.CodeAmbiguous)
	if !slices.Equal(p.Candidates, []string{"host1:vx0", "host2:vx0"}) {
		t.Errorf("candidates %v", p.Candidates)
	}
}

func TestFaultOfBackendIsNotShown(t *testing.T) {
	b := apitest.Lab()
	b.Err = errors.New("secret of the house")
	url := serve(t, b, nil)
	for _, path := range []string{"hosts", "hosts/vm1", "flows/host1"} {
		a := ask(t, "GET", url+"/api/v1/"+path, "")
		wantProblem(t, a, http.StatusInternalServerError, api.CodeInternal)
		if strings.Contains(a.body, "secret") {
			t.Error(a.body)
		}
	}
	b.Err = api.Unavailable("the table is being rebuilt")
	p := wantProblem(t, ask(t, "GET", url+"/api/v1/hosts", ""), http.StatusServiceUnavailable, api.CodeUnavailable)
	if p.Detail != "the table is being rebuilt" {
		t.Errorf("detail %q", p.Detail)
	}
}
