package controller

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/fabric"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("eosin_"+name, help, labels, nil)
}

var (
	descConnected = desc("switch_connected",
		"Whether the switch has a session (1) or not (0).", "switch", "datapath_id")
	descRole = desc("switch_role",
		"1 for the role that this controller has at the switch: master, equal or slave.",
		"switch", "datapath_id", "role")
	descSessions = desc("switch_connections_total", "Sessions that the switch has begun.", "switch", "datapath_id")
	descMessages = desc("openflow_messages_total",
		"OpenFlow messages by direction (in: from the switch) and type.", "switch", "direction", "type")
	descPacketIns = desc("packet_ins_total", "Packet-ins by the app that they were for.", "switch", "app")
	descDropped   = desc("packet_ins_dropped_total",
		"Packet-ins from which nothing was taken, by reason.", "switch", "reason")
	descLatency = desc("packet_in_seconds", "Time from reading a packet-in to having written the answer.")
	descFlows   = desc("flows", "Flows that the switch should have, by table.", "switch", "table")
	descHosts   = desc("hosts", "Known hosts by network.", "network")
	descMoves   = desc("host_moves_total", "Moves of hosts from one port to another, by network.", "network")
	descLinks   = desc("links", "Links between switches that are up, by kind.", "kind")
	descErrors  = desc("switch_errors_total", "OpenFlow errors that the switch sent.", "switch")
	descUnasked = desc("openflow_unsolicited_messages_total",
		"OpenFlow messages that the switch sent without being asked for them.", "switch")
	descAudits    = desc("flow_audits_total", "Comparisons of the switch's flows with what they should be.", "switch")
	descAuditTook = desc("flow_audit_seconds", "How long the last comparison took, from asking to its end.", "switch")
	descDrifts    = desc("flow_drifts_total", "Audits that found flows changed behind the controller's back.", "switch")
	descRefused   = desc("openflow_connections_refused_total", "Connections that never became a session.")
	descBroken    = desc("openflow_sessions_broken_total",
		"Sessions that ended because of what the switch sent or failed to do.")
	descTLSExpiry = desc("openflow_tls_expiry_timestamp_seconds",
		"When the first of the certificates in use for OpenFlow ends, in seconds since 1970.")
	descTLSReadOK = desc("openflow_tls_last_reload_successful",
		"Whether the TLS files of OpenFlow can be used as they are (1), or what was read before stays in use (0).")
	descPeerTLS = desc("switch_tls_expiry_timestamp_seconds",
		"When the certificate of the switch ends, in seconds since 1970.", "switch")
	descReloadOK = desc("config_last_reload_successful", "Whether the last reload of the config succeeded.")
	descReloadAt = desc("config_last_reload_success_timestamp_seconds",
		"When the config was last loaded, in seconds since 1970.")
)

// collector exports what the controller knows. Values are read when they are scraped.
type collector struct {
	status   *status
	registry *switches.Registry
	finder   *location.Finder
	fabric   *fabric.Fabric
	sessions *switches.Sessions
	server   *southbound.Server
	parts    []prometheus.Collector // which export their own
}

// Describe sends nothing: which series exist depends on the switches.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// series collects metrics: they are sent to who scrapes when no lock is held.
type series []prometheus.Metric

func (s *series) gauge(d *prometheus.Desc, v float64, labels ...string) {
	*s = append(*s, prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...))
}

func (s *series) counter(d *prometheus.Desc, v uint64, labels ...string) {
	*s = append(*s, prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...))
}

// Collect sends the current values.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	var out series
	moves := map[uint16]uint64{}
	for _, s := range c.registry.List() {
		s.Read(func(m *datapath.Machine, st switches.State) { out.addSwitch(s, m, st, moves) })
	}
	hosts := c.finder.CountByVLAN()
	for _, n := range c.status.config.Load().Networks {
		out.gauge(descHosts, float64(hosts[n.VLAN]), n.Name)
		out.counter(descMoves, moves[n.VLAN]+c.fabric.Moves(n.VLAN), n.Name)
	}
	links := map[topology.Kind]int{}
	for _, l := range c.fabric.Snapshot().Links() {
		if l.State == topology.Up {
			links[l.Kind]++
		}
	}
	out.gauge(descLinks, float64(links[topology.Wire]), topology.Wire.String())
	out.gauge(descLinks, float64(links[topology.Tunnel]), topology.Tunnel.String())
	count, sum, buckets := c.sessions.Latency.Read()
	out = append(out, prometheus.MustNewConstHistogram(descLatency, count, sum, buckets))
	out.counter(descRefused, c.server.Refused())
	out.counter(descBroken, c.sessions.Broken())
	if files := c.status.tls.Load(); files != nil {
		out.gauge(descTLSExpiry, float64(files.Current().Expires().Unix()))
		out.gauge(descTLSReadOK, truth(files.Healthy()))
	}
	out.gauge(descReloadOK, truth(c.status.refused.Load() == nil))
	out.gauge(descReloadAt, float64(c.status.reloadAt.Load()))
	for _, m := range out {
		ch <- m
	}
	for _, p := range c.parts {
		p.Collect(ch)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// addSwitch adds the series of one switch.
func (s *series) addSwitch(sw *switches.Switch, m *datapath.Machine, st switches.State, moves map[uint16]uint64) {
	name, id := m.Name(), sw.ID().String()
	s.gauge(descConnected, truth(st.Connected), name, id)
	if st.Connected {
		if role := m.Status().Role; role != openflow.RoleNoChange {
			s.gauge(descRole, 1, name, id, openflow.RoleName(role))
		}
		if cert, _ := southbound.PeerCertificate(st.NetConn); cert != nil {
			s.gauge(descPeerTLS, float64(cert.NotAfter.Unix()), name)
		}
	}
	s.counter(descSessions, m.Sessions, name, id)
	for t := range m.In {
		if n := m.In[t]; n > 0 {
			s.counter(descMessages, n, name, "in", openflow.Type(t).String())
		}
		if n := m.Sent[t]; n > 0 {
			s.counter(descMessages, n, name, "out", openflow.Type(t).String())
		}
	}
	byApp := map[string]uint64{}
	for o, n := range m.PacketIns {
		if app := pipeline.Layout.AppOf(flow.Owner(o)); app != "" {
			byApp[app] += n
		}
	}
	for app, n := range byApp {
		s.counter(descPacketIns, n, name, app)
	}
	byReason := map[string]uint64{} // several apps may have the same one
	m.Drops(func(reason string, n uint64) { byReason[reason] += n })
	for reason, n := range byReason {
		s.counter(descDropped, n, name, reason)
	}
	for _, t := range pipeline.Layout.Tables {
		s.gauge(descFlows, float64(m.TableLen(t.Number)), name, t.Name)
	}
	s.counter(descErrors, m.Errors, name)
	s.counter(descUnasked, m.Unsolicited, name)
	s.counter(descDrifts, m.Drifts, name)
	s.counter(descAudits, m.Audits, name)
	s.gauge(descAuditTook, m.AuditTook.Seconds(), name)
	m.Moves(func(vlan uint16, n uint64) { moves[vlan] += n })
}
