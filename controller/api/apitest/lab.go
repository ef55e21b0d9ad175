package apitest

import (
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
)

// Began is the time at which everything in [Lab] was seen.
var Began = time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)

// Lab returns a backend that shows two hosts joined by a VXLAN tunnel and four VMs in two networks: vm3 is silent to
// ping, vm4 answers two of three, and vm5 is on a port that is down.
func Lab() *Backend {
	seen := Began
	latency, rtt := 0.0002, probespec.Seconds(412*time.Microsecond)
	counters := &api.Counters{RxPackets: 120, TxPackets: 118, RxBytes: 11760, TxBytes: 11564}
	silent := &probespec.Loss{
		Where: &api.Place{Switch: "host2", Port: "vif3"}, Stage: "guest_silent", Reason: "delivered, but no reply",
		Evidence: []string{"host2:vif3 is up", "it answers ARP: its ICMP is filtered"},
	}
	b := &Backend{
		EventLog: api.NewEventLog(100, Began),
		RTT:      412 * time.Microsecond,
		SwitchList: []api.Switch{
			{
				Name: "host1", DatapathID: "0000000000000001", Connected: true, Address: "ssl:192.0.2.1:48210",
				Role:           "master",
				ConnectedSince: &seen, Description: "Nicira, Inc. Open vSwitch 3.1.0", Software: "3.1.0", Ports: 3,
				Flows:  41,
				Bridge: "br0", FailMode: "secure",
				TLS: &api.SwitchTLS{
					Version: "TLS 1.3", Certificate: "host1", Serial: "1A2B",
					Expires: seen.Add(365 * 24 * time.Hour),
				},
			},
			{
				Name: "host2", DatapathID: "0000000000000002", Description: "", Ports: 3,
				Bridge: "br0", FailMode: "standalone", FailModeWarning: "fail_mode is standalone: ovs-vsctl " +
					"set-fail-mode host2 secure",
			},
		},
		PortList: []api.Port{
			{
				Switch: "host1", Name: "vif1", Number: 1, Up: true, Observable: true, Mode: "access", Source: "config",
				Networks: []string{"blue"}, MAC: "fe:54:00:00:00:01", Counters: counters,
			},
			{
				Switch: "host1", Name: "vx0", Number: 3, Up: true, Observable: true, Mode: "tunnel", Source: "config",
				Networks: []string{"blue", "red"}, Transit: true, MAC: "fe:54:00:00:00:03", Counters: counters,
			},
			{
				Switch: "host2", Name: "vif2", Number: 1, Up: true, Mode: "access", Source: "ovsdb",
				Networks: []string{"blue"}, MAC: "fe:54:00:00:00:02",
			},
			{
				Switch: "host2", Name: "vx0", Number: 3, Mode: "tunnel", Source: "config", Transit: true,
				Observable: true, MAC: "fe:54:00:00:00:04",
			},
		},
		HostList: []api.Host{
			{
				Name: "vm1", MAC: "52:54:00:00:00:01", IPs: []string{"10.0.3.1"}, Network: "blue", VLAN: 10,
				Switch: "host1", Port: "vif1", Configured: true, LastSeen: &seen,
			},
			{
				Name: "vm2", MAC: "52:54:00:00:00:02", IPs: []string{"10.0.3.2", "fd00::2"}, Network: "blue", VLAN: 10,
				Switch: "host2", Port: "vif2", LastSeen: &seen,
			},
			{
				Name: "vm3", MAC: "52:54:00:00:00:03", IPs: []string{"10.0.3.3"}, Network: "blue", VLAN: 10,
				Switch: "host2", Port: "vif3", LastSeen: &seen,
			},
			{
				Name: "vm4", MAC: "52:54:00:00:00:04", IPs: []string{"10.0.3.4"}, Network: "blue", VLAN: 10,
				Switch: "host1", Port: "vif4", LastSeen: &seen,
			},
			{Name: "vm5", MAC: "52:54:00:00:00:05", Network: "red", VLAN: 11, Configured: true},
		},
		LinkList: []api.Link{
			{
				A: api.Place{Switch: "host1", Port: "vx0"}, B: api.Place{Switch: "host2", Port: "vx0"}, Up: true,
				State: "up", Forwarding: true, Kind: "tunnel", LatencySeconds: &latency,
			},
		},
		NetworkList: []api.Network{
			{Name: "blue", VLAN: 10, VNI: 5010, Subnet: "10.0.3.0/24", Gateway: "10.0.3.254", Hosts: 4, Ports: 4},
			{Name: "red", VLAN: 11, VNI: 5011, Hosts: 1, Ports: 1},
		},
		TunnelList: []api.Tunnel{
			{
				Switch: "host1", Port: "vx0", Number: 3, Type: "vxlan", Local: "192.0.2.1", Remote: "192.0.2.2",
				Key: "flow", Mode: "tunnel", Networks: []string{
					"blue",
					"red",
				}, Up: true, Peer: &api.Place{Switch: "host2", Port: "vx0"}, Counters: counters,
			},
		},
		FlowList: []api.Flow{
			{
				Switch: "host1", Table: 4, TableName: "forward", Priority: 100, Cookie: "0xe051000200000001",
				Owner: "l2",
				Match: "dl_vlan=10,dl_dst=52:54:00:00:00:01", Actions: "pop_vlan,output:1",
			},
			{
				Switch: "host1", Table: 5, TableName: "flood", Priority: 100, Cookie: "0xe051000300000001",
				Owner: "flood",
				Match: "dl_vlan=10", Actions: "group:10",
			},
		},
		ProbeList: []probespec.Status{
			{
				Name: "blue-mesh", Kind: "mesh", Of: "mesh blue", Type: "icmp",
				Interval: probespec.Seconds(5 * time.Second), Timeout: probespec.Seconds(time.Second),
				Expect: probespec.Reachable, Pairs: 2, OK: 1, Failing: 1,
			},
			{
				Name: "isolation", Kind: "from_to", Of: "from blue to red", Type: "icmp",
				Interval: probespec.Seconds(5 * time.Second), Timeout: probespec.Seconds(time.Second),
				Expect: probespec.Unreachable,
			},
		},
		MeshList: []probespec.MeshEntry{
			{
				Probe: "blue-mesh", Source: "vm1", Destination: "vm2", Network: "blue", Type: "icmp",
				Expect: probespec.Reachable, OK: true, Verdict: probespec.Reachable, RTT: &rtt, Last: &seen,
			},
			{
				Probe: "blue-mesh", Source: "vm1", Destination: "vm3", Network: "blue", Type: "icmp",
				Expect: probespec.Reachable, Verdict: probespec.Unreachable, LossRatio: 1, Last: &seen, Loss: silent,
			},
		},
		Silent: map[string]*probespec.Loss{"vm3": silent},
		Drops:  map[string]int{"vm4": 3},
		Down: map[string]*api.Problem{"vm5": api.CannotRun("source_down",
			"the source vm5 is down: its port host2:vif5 is down", "host2:vif5 is down since 09:26:53")},
	}
	b.Publish(api.Event{
		Time: seen, Type: "switch_connected",
		Message: "switch host1 connected from ssl:192.0.2.1:48210", Switch: "host1",
	})
	b.Publish(api.Event{
		Time: seen.Add(time.Second), Type: "fail_mode", Level: "warning",
		Message: "switch host2 would forward without isolation: ovs-vsctl set-fail-mode host2 secure", Switch: "host2",
	})
	return b
}
