package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// contractFields are what every object of a kind has.
var contractFields = map[string][]string{
	"switches": {"name", "datapath_id", "connected", "address", "role", "connected_since", "description"},
	"ports":    {"switch", "name", "number", "up", "mode", "networks", "native", "mac", "counters"},
	"hosts":    {"name", "mac", "ips", "network", "vlan", "switch", "port", "last_seen"},
	"links":    {"a", "b", "up", "forwarding", "kind", "latency_seconds"},
	"networks": {"name", "vlan", "vni"},
	"tunnels":  {"name", "switch", "port", "up"},
	"flows":    {"switch", "table", "priority", "cookie", "match", "actions"},
	"probes":   {"name", "type"},
	"mesh":     {"probe", "source", "destination", "expect", "ok", "verdict", "loss_ratio", "rtt_seconds", "last"},
}

// resultFields are what every probe result has.
var resultFields = []string{
	"source", "destination", "type", "color", "sent", "received", "verdict", "rtt_seconds",
	"replies", "loss",
}

// TestAPI: every list holds what the contract says and what is true; requests are answered or refused as it says.
func TestAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {trunk: [blue, red], native: blue}", "vx0: {tunnel: true}"),
		bridgeConf(2, "vif3: {access: blue}", "vif4: {access: red}", "vx0: {tunnel: true}"),
	)+named(3)+"probes:\n  - {name: blue-mesh, mesh: blue, interval: 300ms, timeout: 300ms}\n")
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(b, "vm4")
	s.waitLinks(1)
	s.met(vm1, vm2, vm3, vm4)
	s.reach(vm1, vm2, vm3)
	s.waitMesh("blue-mesh", []string{"vm1 vm2", "vm1 vm3", "vm2 vm1", "vm2 vm3", "vm3 vm1", "vm3 vm2"}, "reachable",
		isOK)

	for kind, fields := range contractFields {
		var objects []map[string]json.RawMessage
		if err := s.ctl.GetJSON("/api/v1/"+kind, &objects); err != nil || len(objects) == 0 {
			t.Errorf("%s: %d objects, %v", kind, len(objects), err)
		}
		for _, o := range objects {
			for _, f := range fields {
				if o[f] == nil {
					t.Errorf("%s: an object without %s: %s", kind, f, o)
				}
			}
		}
		s.printed(kind)
	}
	s.switchesTrue(a, b)
	s.portsTrue(a, b)
	s.hostsTrue(vm1, vm2, vm3, vm4)
	s.linksTrue()
	s.flowsTrue(a, b)
	s.probesByAPI()
	s.refusals()
	s.plainPages()
}

// printed compares what "eosin get" prints of a kind with the API's list. What counts may have changed in between.
func (s *site) printed(kind string) {
	s.t.Helper()
	volatile := map[string]bool{
		"counters": true, "last_seen": true, "latency_seconds": true, "sent": true,
		"received": true,
	}
	same := func() bool {
		var lists [2][]map[string]any
		r := s.ctl.Eosin("get", kind, "-o", "json")
		if err := json.Unmarshal([]byte(r.Stdout), &lists[0]); err != nil || r.Exit != 0 || r.Stderr != "" {
			s.t.Fatalf("eosin get %s: %v\n%v", kind, err, r)
		}
		if err := s.ctl.GetJSON("/api/v1/"+kind, &lists[1]); err != nil {
			s.t.Fatal(err)
		}
		if kind == "mesh" { // its figures are those of the last moments
			return len(lists[0]) == len(lists[1])
		}
		for _, list := range lists {
			for _, object := range list {
				maps.DeleteFunc(object, func(name string, _ any) bool { return volatile[name] })
			}
		}
		return reflect.DeepEqual(lists[0], lists[1])
	}
	s.eventually(patience, "eosin get "+kind+" prints what the API says", same)
}

// switchesTrue compares with what OVSDB says.
func (s *site) switchesTrue(bridges ...*lab.Bridge) {
	s.t.Helper()
	switches := get[api.Switch](s, "switches")
	for n, br := range bridges {
		o := switches[n]
		version := strings.Fields(br.Host.Run("ovs-vswitchd", "--version"))[3]
		if o.Name != fmt.Sprintf("sw%d", n+1) || o.DatapathID != br.DatapathID() || !o.Connected ||
			o.ConnectedSince == nil ||
			time.Since(*o.ConnectedSince) > time.Minute || !strings.HasPrefix(o.Address,
			"tcp:"+br.Host.ManagementIP()+":") ||
			!strings.Contains(o.Description, "Open vSwitch") || o.Software != version || o.Error != "" {
			s.t.Errorf("%s is %+v (Open vSwitch %s)", br, o, version)
		}
	}
	if len(switches) != len(bridges) {
		s.t.Errorf("%d switches", len(switches))
	}
}

// portsTrue compares with what OVSDB says, and the counters with what was sent.
func (s *site) portsTrue(bridges ...*lab.Bridge) {
	s.t.Helper()
	for _, br := range bridges {
		names := append(strings.Fields(br.Host.Vsctl("list-ports", br.Name)), br.Name)
		for _, name := range names {
			p, known := s.port(br, name)
			number := br.PortNumber(name)
			if name == br.Name {
				number = 0xfffffffe // OFPP_LOCAL, which OVSDB gives its number of OpenFlow 1.0
			}
			up := strings.Trim(br.Host.Vsctl("get", "Interface", name, "link_state"), `"`) == "up"
			mac := strings.Trim(br.Host.Vsctl("get", "Interface", name, "mac_in_use"), `"`)
			if !known || int(p.Number) != number || p.Up != up || p.MAC != mac || p.Counters == nil {
				s.t.Errorf("port %s of %s: %+v, want number %d, up %v, MAC %s", name, br, p, number, up, mac)
			}
		}
	}
	for _, want := range []struct {
		br           *lab.Bridge
		name         string
		mode, native string
		networks     []string
	}{
		{bridges[0], "vif1", "access", "", []string{"blue"}},
		{bridges[0], "vif2", "trunk", "blue", []string{"blue", "red"}},
		{bridges[0], "vx0", "tunnel", "", []string{"blue", "red"}},
		{bridges[1], "vif4", "access", "", []string{"red"}},
		{bridges[1], "br0", "closed", "", []string{}},
	} {
		p, _ := s.port(want.br, want.name)
		if p.Mode != want.mode || p.Native != want.native || !slices.Equal(p.Networks, want.networks) {
			s.t.Errorf("port %s of %s: %+v, want %+v", want.name, want.br, p, want)
		}
	}
	br := bridges[0]
	before, _ := s.port(br, "vif1")
	vm := s.VM("vm1")
	const frames = 20
	for range frames {
		vm.SendRaw(frame(everybody, vm.MAC, words(testType), unique("counted")))
	}
	s.eventually(truthWithin, "the frames are counted", func() bool {
		after, _ := s.port(br, "vif1")
		return after.Counters.RxPackets >= before.Counters.RxPackets+frames
	})
}

// hostsTrue compares with the guests themselves.
func (s *site) hostsTrue(vms ...*lab.VM) {
	s.t.Helper()
	hosts := get[api.Host](s, "hosts")
	for _, vm := range vms {
		i := slices.IndexFunc(hosts, func(h api.Host) bool { return h.MAC == vm.MAC })
		if i < 0 {
			s.t.Errorf("%s is not a host", vm.Name)
			continue
		}
		name, network, vlan := vm.Name, "blue", uint16(10)
		if vm.Name == "vm4" { // the config does not name it
			name, network, vlan = vm.MAC, "red", 11
		}
		h := hosts[i]
		if h.Name != name || !slices.Equal(h.IPs, []string{vm.IP()}) || h.Network != network || h.VLAN != vlan ||
			h.Switch+":"+h.Port != s.at(vm) ||
			h.LastSeen == nil || time.Since(*h.LastSeen) > time.Minute {
			s.t.Errorf("%s is %+v", vm.Name, h)
		}
	}
	if len(hosts) != len(vms) {
		s.t.Errorf("%d hosts: %+v", len(hosts), hosts)
	}
}

// linksTrue looks at the only link, at both of its ends, and at the networks.
func (s *site) linksTrue() {
	s.t.Helper()
	l := get[api.Link](s, "links")[0]
	ends := []string{l.A.String(), l.B.String()}
	slices.Sort(ends)
	if !slices.Equal(ends, []string{"sw1:vx0", "sw2:vx0"}) || !l.Up || !l.Forwarding || l.Kind != "tunnel" ||
		l.LatencySeconds == nil || *l.LatencySeconds <= 0 {
		s.t.Errorf("link %+v", l)
	}
	tunnels := get[api.Tunnel](s, "tunnels")
	if len(tunnels) != 2 || tunnels[0].Peer == nil || tunnels[0].Peer.String() != tunnels[1].Name || !tunnels[0].Up {
		s.t.Errorf("tunnels %+v", tunnels)
	}
	hosts := map[string]int{}
	for _, n := range get[api.Network](s, "networks") {
		hosts[fmt.Sprintf("%s %d %d", n.Name, n.VLAN, n.VNI)] = n.Hosts
	}
	if hosts["blue 10 5010"] != 3 || hosts["red 11 5011"] != 1 {
		s.t.Errorf("hosts by network %v", hosts)
	}
}

// flowsTrue compares the flows that the API lists with those that the bridges have, by their cookies and tables.
func (s *site) flowsTrue(bridges ...*lab.Bridge) {
	s.t.Helper()
	key := func(table, priority int, cookie uint64) string {
		return fmt.Sprintf("%d %d %#x", table, priority, cookie)
	}
	for n, br := range bridges {
		var diff []string
		if !s.Eventually(patience, func() bool {
			var said, have []string
			for _, f := range get[api.Flow](s, "flows") {
				if f.Switch == fmt.Sprintf("sw%d", n+1) {
					var cookie uint64
					_, _ = fmt.Sscanf(f.Cookie, "0x%x", &cookie)
					said = append(said, key(int(f.Table), int(f.Priority), cookie))
				}
			}
			for _, f := range br.Flows() {
				have = append(have, key(f.Table, f.Priority, f.Cookie))
			}
			diff = difference(have, said)
			return len(diff) == 0 && len(said) == len(have)
		}) {
			s.t.Errorf("flows of %s: the bridge has (-), the API says (+):\n%s", br, strings.Join(diff, "\n"))
		}
	}
}

// probesByAPI posts probes and asks /probe.
func (s *site) probesByAPI() {
	s.t.Helper()
	status, header, body, err := s.post("/api/v1/probes",
		`{"source": "vm1", "destination": "vm3", "count": 3, "interval": "20ms", "timeout": 1, "color": 4242}`)
	var r probespec.Result
	var members map[string]json.RawMessage
	if err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json" ||
		json.Unmarshal(body, &r) != nil || json.Unmarshal(body, &members) != nil {
		s.t.Fatalf("POST probes: %v, status %d: %s", err, status, body)
	}
	for _, f := range resultFields {
		if members[f] == nil {
			s.t.Errorf("a probe result without %s: %s", f, body)
		}
	}
	if r.Verdict != probespec.Reachable || r.Color != 4242 || r.Sent != 3 || r.Received != 3 || len(r.Replies) != 3 ||
		r.Loss != nil ||
		r.RTT == nil || r.RTT.Min <= 0 || r.RTT.Min > r.RTT.Avg || r.RTT.Avg > r.RTT.Max {
		s.t.Errorf("probe result %s", body)
	}
	for target, want := range map[string]string{
		"vm3": "probe_success 1", "10.0.3.99": "probe_success 0",
		"nobody": "probe_success 0",
	} {
		page, err := s.ctl.Get("/probe?source=vm1&module=icmp&target=" + target)
		if err != nil || !strings.Contains(string(page), "\n"+want+"\n") ||
			!strings.Contains(string(page), "\nprobe_duration_seconds ") {
			s.t.Errorf("/probe of %s: %v: %s", target, err, page)
		}
	}
}

// refusals checks that each bad request gets a problem document that says what is wrong.
func (s *site) refusals() {
	s.t.Helper()
	probes := "/api/v1/probes"
	for _, c := range []struct {
		method, path, body string
		status             int
		code               api.Code
		says               string
	}{
		{"POST", probes, ``, 400, api.CodeMalformed, "empty"},
		{"POST", probes, `{"source": "vm1",}`, 400, api.CodeMalformed, "line 1"},
		{"POST", probes, `["vm1", "vm3"]`, 400, api.CodeMalformed, "object"},
		{"POST", probes, `{"source": "vm1"}`, 422, api.CodeInvalid, "destination"},
		{"POST", probes, `{"source": "vm1", "destination": "vm3", "colour": 1}`, 422, api.CodeInvalid, "colour"},
		{"POST", probes, `{"source": "vm1", "destination": "vm3", "count": -1}`, 422, api.CodeInvalid, "count"},
		{
			"POST", probes, `{"source": "vm1", "destination": "vm3", "interval": "soon"}`, 422, api.CodeInvalid,
			"interval",
		},
		{"POST", probes, `{"source": "vm1", "destination": "vm3", "type": "smoke"}`, 422, api.CodeInvalid, "type"},
		{"POST", probes, `{"source": "vm1", "destination": "vm3", "size": 65001}`, 422, api.CodeInvalid, "size"},
		{"POST", probes, `{"source": "vm9", "destination": "vm3"}`, 422, api.CodeUnknownName, "vm1"},
		{
			"POST", probes, `{"source": "vm1", "destination": "vm3", "count": 1, "color": 4242}`,
			409, api.CodeColorBusy, "4242",
		},
		{"POST", probes, strings.Repeat(" ", 2<<20), 413, api.CodeTooLarge, "1048576"},
		{"DELETE", probes, ``, 405, api.CodeMethod, ""},
		{"GET", "/api/v1/weather", ``, 404, api.CodeNotFound, ""},
		{"GET", "/api/v1/hosts/nobody", ``, 404, api.CodeUnknownName, "nobody"},
		{"GET", "/probe?target=vm3", ``, 400, api.CodeInvalid, "source"},
		{"GET", "/probe?source=vm1&target=vm3&module=smoke", ``, 400, api.CodeInvalid, "module"},
	} {
		what := fmt.Sprintf("%s %s %.80s", c.method, c.path, c.body)
		request, err := http.NewRequest(c.method, s.ctl.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			s.t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			s.t.Errorf("%s: %v", what, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		var p api.Problem
		if err != nil || json.Unmarshal(body, &p) != nil ||
			response.Header.Get("Content-Type") != "application/problem+json" {
			s.t.Errorf("%s: %v, status %d, no problem document: %s", what, err, response.StatusCode, body)
			continue
		}
		if response.StatusCode != c.status || p.Status != c.status || p.Code != c.code ||
			p.Title != http.StatusText(c.status) || !strings.Contains(p.Detail, c.says) || p.Detail == "" {
			s.t.Errorf("%s: want %d %s saying %q: %d %s", what, c.status, c.code, c.says, response.StatusCode, body)
		}
	}
}

// plainPages asks what load balancers, people and generators of clients ask.
func (s *site) plainPages() {
	s.t.Helper()
	for path, says := range map[string]string{"/healthz": `"ok"`, "/readyz": `"ready"`, "/": "eosin"} {
		if body, err := s.ctl.Get(path); err != nil || !strings.Contains(string(body), says) {
			s.t.Errorf("%s: %v: %s", path, err, body)
		}
	}
	var spec struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	if err := s.ctl.GetJSON("/api/v1/openapi.json", &spec); err != nil || !strings.HasPrefix(spec.OpenAPI, "3.") {
		s.t.Errorf("openapi.json: %v, version %q", err, spec.OpenAPI)
	}
	for kind := range contractFields {
		if spec.Paths["/api/v1/"+kind] == nil {
			s.t.Errorf("openapi.json does not describe /api/v1/%s", kind)
		}
	}
}
