package controller

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("eosin_"+name, help, labels, nil)
}

var (
	descConnected = desc("switch_connected", "Whether the switch has a session (1) or not (0).", "switch", "datapath_id")
	descRole      = desc("switch_role", "1 for the role that this controller has at the switch: master, equal or slave.", "switch", "datapath_id", "role")
	descSessions  = desc("switch_connections_total", "Sessions that the switch has begun.", "switch", "datapath_id")
	descMessages  = desc("openflow_messages_total", "OpenFlow messages by direction (in: from the switch) and type.", "switch", "direction", "type")
	descPacketIns = desc("packet_ins_total", "Packet-ins by the app that they were for.", "switch", "app")
	descDropped   = desc("packet_ins_dropped_total", "Packet-ins from which nothing was taken, by reason.", "switch", "reason")
	descLatency   = desc("packet_in_seconds", "Time from reading a packet-in to having written the answer.")
	descFlows     = desc("flows", "Flows that the switch should have, by table.", "switch", "table")
	descHosts     = desc("hosts", "Known hosts by network.", "network")
	descMoves     = desc("host_moves_total", "Moves of hosts from one port to another, by network.", "network")
	descLinks     = desc("links", "Links between switches that are up, by kind.", "kind")
	descErrors    = desc("switch_errors_total", "OpenFlow errors that the switch sent.", "switch")
	descAudits    = desc("flow_audits_total", "Comparisons of the switch's flows with what they should be.", "switch")
	descAuditTook = desc("flow_audit_seconds", "How long the last comparison took, from asking to its end.", "switch")
	descDrifts    = desc("flow_drifts_total", "Audits that found flows changed behind the controller's back.", "switch")
	descRefused   = desc("openflow_connections_refused_total", "Connections that never became a session.")
	descBroken    = desc("openflow_sessions_broken_total", "Sessions that ended because of what the switch sent or failed to do.")
	descFailMode  = desc("switch_fail_mode_secure", "Whether the switch's bridge is in fail mode secure (1) or turns into a plain switch when the controller is away (0). Absent where no OVSDB tells.", "switch", "datapath_id")
	descOVSDB     = desc("ovsdb_connected", "Whether the OVSDB server is being read (1) or not (0).", "server")
	descTLSExpiry = desc("openflow_tls_expiry_timestamp_seconds", "When the first of the certificates in use for OpenFlow ends, in seconds since 1970.")
	descTLSReadOK = desc("openflow_tls_last_reload_successful", "Whether the TLS files of OpenFlow can be used as they are (1), or what was read before stays in use (0).")
	descPeerTLS   = desc("switch_tls_expiry_timestamp_seconds", "When the certificate of the switch ends, in seconds since 1970.", "switch")
	descReloadOK  = desc("config_last_reload_successful", "Whether the last reload of the config succeeded.")
	descReloadAt  = desc("config_last_reload_success_timestamp_seconds", "When the config was last loaded, in seconds since 1970.")
)

// Collector exports what the controller knows. Values are read when they are scraped.
type Collector struct{ c *Controller }

// Collector returns the controller's metrics, to be registered once.
func (c *Controller) Collector() prometheus.Collector { return &Collector{c} }

// Describe sends nothing: which series exist depends on the switches.
func (*Collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the current values.
func (m *Collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	moves := map[uint16]uint64{}
	for _, s := range m.c.list() {
		s.collect(gauge, counter, moves)
	}
	m.c.ovsdb.collect(gauge)
	cfg := m.c.Config()
	hosts := m.c.hostCounts()
	for _, n := range cfg.Networks {
		gauge(descHosts, float64(hosts[n.VLAN]), n.Name)
		counter(descMoves, moves[n.VLAN]+m.c.fabric.movesOf(n.VLAN), n.Name)
	}
	links := map[topology.Kind]int{}
	for _, l := range m.c.fabric.current().Links() {
		if l.State == topology.Up {
			links[l.Kind]++
		}
	}
	gauge(descLinks, float64(links[topology.Wire]), topology.Wire.String())
	gauge(descLinks, float64(links[topology.Tunnel]), topology.Tunnel.String())
	count, sum, buckets := m.c.latency.read()
	ch <- prometheus.MustNewConstHistogram(descLatency, count, sum, buckets)
	counter(descRefused, m.c.counters.refused.Load())
	counter(descBroken, m.c.counters.broken.Load())
	if files := m.c.tls.Load(); files != nil {
		gauge(descTLSExpiry, float64(files.Current().Expires().Unix()))
		gauge(descTLSReadOK, truth(files.Healthy()))
	}
	gauge(descReloadOK, truth(m.c.counters.reloadOK.Load()))
	gauge(descReloadAt, float64(m.c.counters.reloadAt.Load()))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collect sends the series of one switch.
func (s *datapathSwitch) collect(gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string), moves map[uint16]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machine
	name, id := m.Name(), s.id.String()
	gauge(descConnected, truth(s.conn != nil), name, id)
	if s.conn != nil {
		if role := m.Status().Role; role != openflow.RoleNoChange {
			gauge(descRole, 1, name, id, openflow.RoleName(role))
		}
		if cert, _ := peerCertificate(s.conn.NetConn()); cert != nil {
			gauge(descPeerTLS, float64(cert.NotAfter.Unix()), name)
		}
	}
	counter(descSessions, m.Sessions, name, id)
	for t := range m.In {
		if n := m.In[t]; n > 0 {
			counter(descMessages, n, name, "in", openflow.Type(t).String())
		}
		if n := m.Sent[t]; n > 0 {
			counter(descMessages, n, name, "out", openflow.Type(t).String())
		}
	}
	byApp := map[string]uint64{}
	for o, n := range m.PacketIns {
		if app := pipeline.Layout.AppOf(flow.Owner(o)); app != "" {
			byApp[app] += n
		}
	}
	for app, n := range byApp {
		counter(descPacketIns, n, name, app)
	}
	byReason := map[string]uint64{} // several apps may have the same one
	m.Drops(func(reason string, n uint64) { byReason[reason] += n })
	for reason, n := range byReason {
		counter(descDropped, n, name, reason)
	}
	for _, t := range pipeline.Layout.Tables {
		gauge(descFlows, float64(m.TableLen(t.Number)), name, t.Name)
	}
	counter(descErrors, m.Errors, name)
	counter(descDrifts, m.Drifts, name)
	counter(descAudits, m.Audits, name)
	gauge(descAuditTook, m.AuditTook.Seconds(), name)
	m.Moves(func(vlan uint16, n uint64) { moves[vlan] += n })
}

// ProbeCollector returns the metrics of the continuous probes, to be registered once.
func (c *Controller) ProbeCollector() prometheus.Collector { return c.prober.Collector() }

// EventCollector returns the metrics of events, to be registered once.
func (c *Controller) EventCollector() prometheus.Collector { return c.sink }
