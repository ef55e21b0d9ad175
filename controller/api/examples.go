package api

import (
	"net/http"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// The examples of the description show one small lab: two hosts joined by a VXLAN tunnel, with a VM each.
var (
	exampleTime    = time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)
	exampleLatency = 0.0002
	exampleRTT     = probespec.Seconds(412 * time.Microsecond)

	exampleTick = probespec.Seconds(100 * time.Microsecond)

	exampleSwitch = Switch{
		Name: "host1", DatapathID: "0000000000000001", Connected: true, Address: "tcp:192.0.2.1:48210", Role: "master",
		ConnectedSince: &exampleTime, Description: "Nicira, Inc. Open vSwitch 3.1.0", Software: "3.1.0", Ports: 3,
		Flows: 41,
	}
	exampleCounters = Counters{RxPackets: 120, TxPackets: 118, RxBytes: 11760, TxBytes: 11564}
	examplePort     = Port{
		Switch: "host1", Name: "vif1", Number: 1, Up: true, Observable: true, Mode: "access", Source: "config",
		Networks: []string{"blue"}, MAC: "fe:54:00:00:00:01", Counters: &exampleCounters,
	}
	exampleHost = Host{
		Name: "vm1", MAC: "52:54:00:00:00:01", IPs: []string{"10.0.3.1"}, Network: "blue", VLAN: 10,
		Switch: "host1", Port: "vif1", Configured: true, LastSeen: &exampleTime,
	}
	exampleLink = Link{
		Name: "host1:vx0--host2:vx0", A: Place{Switch: "host1", Port: "vx0"}, B: Place{Switch: "host2", Port: "vx0"},
		Up: true, State: "up", Forwarding: true, Kind: "tunnel", LatencySeconds: &exampleLatency,
	}
	exampleNetwork = Network{
		Name: "blue", VLAN: 10, VNI: 5010, Subnet: "10.0.3.0/24", Gateway: "10.0.3.254", Hosts: 3,
		Ports: 3,
	}
	exampleTunnel = Tunnel{
		Name: "host1:vx0", Switch: "host1", Port: "vx0", Number: 3, Type: "vxlan", Local: "192.0.2.1",
		Remote: "192.0.2.2", Key: "flow",
		Mode: "tunnel", Networks: []string{"blue"}, Up: true, Peer: &Place{Switch: "host2", Port: "vx0"},
		Counters: &exampleCounters,
	}
	exampleFlow = Flow{
		Switch: "host1", Table: 4, TableName: "forward", Priority: 100, Cookie: "0xe051000200000001", Owner: "l2",
		Match: "dl_vlan=10,dl_dst=52:54:00:00:00:01", Actions: "pop_vlan,output:1",
	}
	exampleProbe = probespec.Status{
		Name: "blue-mesh", Kind: "mesh", Of: "mesh blue", Type: "icmp", Interval: probespec.Seconds(5 * time.Second),
		Timeout: probespec.Seconds(time.Second),
		Expect:  probespec.Reachable, Pairs: 6, OK: 6,
	}
	exampleMesh = probespec.MeshEntry{
		Probe: "blue-mesh", Source: "vm1", Destination: "vm2", Network: "blue", Type: "icmp",
		Expect: probespec.Reachable, OK: true,
		Verdict: probespec.Reachable, RTT: &exampleRTT, Last: &exampleTime,
	}
	exampleEvent = Event{
		ID: 1773480413000000, Time: exampleTime, Type: "switch_connected", Level: "info",
		Message: "switch host1 connected from tcp:192.0.2.1:48210", Switch: "host1",
	}
	exampleReachable = probespec.Result{
		Source: "vm1", Destination: "vm2", Type: "icmp", Color: 61441, Sent: 2, Received: 2,
		Verdict: probespec.Reachable,
		RTT:     &probespec.RTT{Min: 4 * exampleTick, Avg: 5 * exampleTick, Max: 6 * exampleTick},
		Replies: []probespec.Reply{{Seq: 1, RTT: 6 * exampleTick}, {Seq: 2, RTT: 4 * exampleTick}},
		SourceEnd: &probespec.End{
			Name: "vm1", MAC: "52:54:00:00:00:01", IP: "10.0.3.1", Network: "blue",
			Switch: "host1", Port: "vif1",
		},
		DestinationEnd: &probespec.End{
			Name: "vm2", MAC: "52:54:00:00:00:02", IP: "10.0.3.2", Network: "blue",
			Switch: "host2", Port: "vif2",
		},
	}
	exampleUnreachable = probespec.Result{
		Source: "vm1", Destination: "vm3", Type: "icmp", Color: 61442, Sent: 5, Verdict: probespec.Unreachable,
		Replies: []probespec.Reply{},
		Loss: &probespec.Loss{
			Where: &Place{Switch: "host2", Port: "vif3"}, Stage: "guest_silent",
			Reason:   "delivered, but no reply within 1s",
			Evidence: []string{"host2:vif3 is up", "it answers ARP"},
		},
	}
	exampleProblem = func() *Problem {
		p := UnknownName("source", "vm9", "vm1", "vm2")
		p.Title = http.StatusText(p.Status)
		return p
	}()
)
