package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// contractMetrics are those that every dashboard may rely on, with the labels of each beside le.
var contractMetrics = map[string][]string{
	"eosin_build_info":                                   {"version"},
	"eosin_switch_connected":                             {"datapath_id", "switch"},
	"eosin_switch_connections_total":                     {"datapath_id", "switch"},
	"eosin_openflow_messages_total":                      {"direction", "switch", "type"},
	"eosin_packet_ins_total":                             {"app", "switch"},
	"eosin_packet_ins_dropped_total":                     {"reason", "switch"},
	"eosin_packet_in_seconds_count":                      nil,
	"eosin_packet_in_seconds_bucket":                     nil,
	"eosin_flows":                                        {"switch", "table"},
	"eosin_hosts":                                        {"network"},
	"eosin_host_moves_total":                             {"network"},
	"eosin_links":                                        {"kind"},
	"eosin_config_last_reload_successful":                nil,
	"eosin_config_last_reload_success_timestamp_seconds": nil,
	"eosin_probe_success":                                {"destination", "probe", "source"},
	"eosin_probe_reachable":                              {"destination", "probe", "source"},
	"eosin_probe_rtt_seconds_bucket":                     {"destination", "probe", "source"},
	"eosin_probe_rtt_seconds_count":                      {"destination", "probe", "source"},
	"eosin_probe_sent_total":                             {"destination", "probe", "source"},
	"eosin_probe_received_total":                         {"destination", "probe", "source"},
	"eosin_probe_lost_total":                             {"destination", "probe", "source", "stage"},
	"eosin_isolation_violations_total":                   {"destination", "probe", "source"},
}

// A prometheus is a running Prometheus that scrapes the controller.
type prometheus struct {
	s   *site
	url string
}

// startPrometheus runs Debian's Prometheus until it has scraped the controller once.
func (s *site) startPrometheus() *prometheus {
	s.t.Helper()
	host, _, _ := strings.Cut(s.HTTPListen(), ":")
	p := &prometheus{s, "http://" + host + ":9090"}
	config := s.File("prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 1s}
scrape_configs:
  - job_name: eosin
    static_configs: [{targets: [%q]}]
  - job_name: blackbox
    metrics_path: /probe
    params: {source: [vm1], module: [icmp]}
    static_configs: [{targets: [vm3, vm4]}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: %q}
`, s.HTTPListen(), s.HTTPListen()))
	process := s.Root().Spawn("prometheus", "prometheus", "--config.file="+config,
		"--storage.tsdb.path="+s.Dir()+"/tsdb",
		"--web.listen-address="+host+":9090", "--log.level=warn")
	s.eventually(patience, "Prometheus scrapes", func() bool {
		if !process.Running() {
			s.t.Fatalf("prometheus ended: %s", process.Log())
		}
		found, err := p.try(`up{job="eosin"} == 1`)
		return err == nil && len(found) == 1
	})
	return p
}

// A sample is one series of an answer to a query.
type sample struct {
	labels map[string]string
	value  float64
}

func (p *prometheus) try(query string) ([]sample, error) {
	response, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || answer.Error != "" {
		return nil, fmt.Errorf("query %s: %w %s", query, err, body)
	}
	var samples []sample
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %s: value %v", query, r.Value)
		}
		samples = append(samples, sample{r.Metric, v})
	}
	return samples, nil
}

// query waits until a query has an answer that is as it should be.
func (p *prometheus) query(query string, right func([]sample) bool) {
	p.s.t.Helper()
	var last []sample
	var err error
	if !p.s.Eventually(patience, func() bool {
		last, err = p.try(query)
		return err == nil && right(last)
	}) {
		p.s.t.Errorf("query %s: %v: %+v", query, err, last)
	}
}

// TestPrometheus: a real Prometheus scrapes the running controller and answers what a dashboard asks; the metrics are
// well made and say what is true.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(
		bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}", "vx0: {tunnel: true}"),
		bridgeConf(2, "vif3: {access: blue}", "vif4: {access: red}", "vx0: {tunnel: true}"),
	)+named(4)+`probes:
  - {name: blue-mesh, mesh: blue, interval: 200ms, timeout: 200ms}
  - {name: isolation, from: blue, to: red, expect: unreachable, interval: 200ms, timeout: 200ms}
`)
	a, b := s.bridge("host1"), s.bridge("host2")
	s.Tunnel(a, b, "vx0", lab.TunnelOptions{Type: "vxlan", Key: "flow"})
	vm1, vm2, vm3, vm4 := s.vm(a, "vm1"), s.vm(a, "vm2"), s.vm(b, "vm3"), s.vm(b, "vm4")
	vm2.SetSilent(true)
	s.waitLinks(1)
	s.met(vm1, vm2, vm3, vm4)
	s.reach(vm3, vm1)

	p := s.startPrometheus()
	p.query(`eosin_probe_success{probe="blue-mesh"}`, func(got []sample) bool {
		for _, x := range got {
			if want := map[bool]float64{true: 1, false: 0}[x.labels["destination"] != "vm2"]; x.value != want {
				return false
			}
		}
		return len(got) == 6
	})
	p.query(`eosin_probe_success{probe="isolation"} == 1 and eosin_probe_reachable == 0`,
		func(got []sample) bool { return len(got) == 3 })
	const rtt = `rate(eosin_probe_rtt_seconds_bucket{source="vm1",destination="vm3"}[10s])`
	p.query(`histogram_quantile(0.9, sum by (le) (`+rtt+`))`, func(got []sample) bool {
		return len(got) == 1 && got[0].value > 0 && got[0].value < 0.2
	})
	p.query(`sum(rate(eosin_probe_lost_total{stage="guest_silent",destination="vm2"}[10s])) > 0`,
		func(got []sample) bool { return len(got) == 1 })
	p.query(`probe_success{job="blackbox"}`, func(got []sample) bool {
		return len(got) == 2 && !slices.ContainsFunc(got, func(x sample) bool {
			return x.value != map[string]float64{"vm3": 1, "vm4": 0}[x.labels["instance"]]
		})
	})

	s.wellMade()
	s.contractKept()
	s.metricsTrue(a, b)
}

// wellMade lets promtool look for what is against the conventions.
func (s *site) wellMade() {
	s.t.Helper()
	body, err := s.ctl.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(string(body))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		s.t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// contractKept checks that every metric of the contract is there with its labels.
func (s *site) contractKept() {
	s.t.Helper()
	body, err := s.ctl.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string][]string{}
	for line := range strings.Lines(string(body)) {
		name, rest, labelled := strings.Cut(line, "{")
		var labels []string
		if labelled {
			inside, _, _ := strings.Cut(rest, "} ")
			for pair := range strings.SplitSeq(inside, `",`) {
				if label, _, _ := strings.Cut(pair, "="); label != "le" {
					labels = append(labels, label)
				}
			}
		} else {
			name, _, _ = strings.Cut(line, " ")
		}
		found[name] = labels
	}
	for _, name := range slices.Sorted(maps.Keys(contractMetrics)) {
		if labels, there := found[name]; !there || !slices.Equal(labels, contractMetrics[name]) {
			s.t.Errorf("metric %s: there %v, labels %v, want %v", name, there, labels, contractMetrics[name])
		}
	}
}

// metricsTrue compares what the metrics say with what the bridges say.
func (s *site) metricsTrue(bridges ...*lab.Bridge) {
	s.t.Helper()
	tables := map[int]string{}
	for _, f := range get[api.Flow](s, "flows") {
		if f.TableName != "" {
			tables[int(f.Table)] = f.TableName
		}
	}
	for n, br := range bridges {
		sw := fmt.Sprintf("sw%d", n+1)
		// Probes come and go in their own tables: the two sides agree as soon as nothing changed in between.
		for number, name := range tables {
			var have, said int
			if !s.Eventually(patience, func() bool {
				have = 0
				for _, f := range br.Flows() {
					if f.Table == number && ours(f) {
						have++
					}
				}
				said = int(s.metric(fmt.Sprintf("eosin_flows{switch=%q,table=%q}", sw, name)))
				return have == said
			}) {
				s.t.Errorf("table %d (%s) of %s has %d flows, eosin_flows says %d", number, name, sw, have, said)
			}
		}
		if v := s.metric(fmt.Sprintf("eosin_switch_connected{datapath_id=%q,switch=%q}", br.DatapathID(), sw)); v != 1 {
			s.t.Errorf("eosin_switch_connected of %s is %v", sw, v)
		}
	}
	known := map[string]float64{}
	for _, br := range bridges {
		for _, f := range br.Flows() { // one rule per host learns at its own switch
			if tables[f.Table] == "learn" && strings.Contains(f.Match, "dl_src=") &&
				strings.Contains(f.Match, "dl_vlan=") {
				_, vlan, _ := strings.Cut(f.Match, "dl_vlan=")
				vlan, _, _ = strings.Cut(vlan, ",")
				known[map[string]string{"10": "blue", "11": "red"}[vlan]]++
			}
		}
	}
	for network, want := range map[string]float64{"blue": 3, "red": 1} {
		if v := s.metric(fmt.Sprintf("eosin_hosts{network=%q}", network)); v != want || known[network] != want {
			s.t.Errorf("eosin_hosts of %s is %v, the bridges have learned %v, want %v", network, v, known[network],
				want)
		}
	}
	for kind, want := range map[string]float64{"tunnel": 1, "wire": 0} {
		if v := s.metric(fmt.Sprintf("eosin_links{kind=%q}", kind)); v != want {
			s.t.Errorf("eosin_links of kind %s is %v, want %v", kind, v, want)
		}
	}
	at := time.Unix(int64(s.metric("eosin_config_last_reload_success_timestamp_seconds")), 0)
	if ok := s.metric("eosin_config_last_reload_successful"); ok != 1 || time.Since(at) > 5*time.Minute ||
		time.Until(at) > 0 {
		s.t.Errorf("last reload successful %v, at %v", ok, at)
	}
}
