package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/openflow"
)

// kind is a kind of object that get lists.
type kind struct {
	name, short, example string
	aliases              []string
	filters              []string // names of flags that narrow it, which are the API's query parameters
	table                func(a *app, body []byte) (table, error)
	names                func(body []byte) []string
}

// table is a list in words.
type table struct {
	header []string
	rows   [][]string
	notes  []string // lines under the table
}

// layout says how objects of one kind are shown.
type layout[T any] struct {
	header []string
	row    func(a *app, o T) []string
	note   func(o T) []string
	name   func(o T) string
}

// with fills the functions of a kind from a layout.
func (l layout[T]) with(k kind) kind {
	k.table = func(a *app, body []byte) (table, error) {
		list, err := decodeList[T](body)
		t := table{header: l.header}
		for _, o := range list {
			t.rows = append(t.rows, l.row(a, o))
			if l.note != nil {
				t.notes = append(t.notes, l.note(o)...)
			}
		}
		return t, err
	}
	k.names = func(body []byte) []string {
		list, err := decodeList[T](body)
		if err != nil {
			return nil
		}
		names := make([]string, len(list))
		for i, o := range list {
			names[i] = l.name(o)
		}
		return names
	}
	return k
}

// decodeList reads an array, or one object as an array of one.
func decodeList[T any](body []byte) ([]T, error) {
	if len(body) > 0 && body[0] != '[' {
		var one T
		err := json.Unmarshal(body, &one)
		return []T{one}, err
	}
	var list []T
	err := json.Unmarshal(body, &list)
	return list, err
}

// kinds are the kinds of objects in the order in which help shows them.
var kinds = []kind{
	layout[api.Switch]{
		header: []string{"NAME", "DATAPATH ID", "STATE", "SINCE", "ROLE", "ADDRESS", "PORTS", "FLOWS", "FAIL MODE", "SOFTWARE"},
		row: func(a *app, o api.Switch) []string {
			state := "disconnected"
			if o.Connected {
				state = "connected"
			}
			return []string{o.Name, o.DatapathID, state, a.age(o.ConnectedSince), o.Role, o.Address, strconv.Itoa(o.Ports), strconv.Itoa(o.Flows), o.FailMode, o.Software}
		},
		note: func(o api.Switch) (notes []string) {
			if o.Error != "" {
				notes = append(notes, fmt.Sprintf("%s: error: %s", o.Name, o.Error))
			}
			if o.FailModeWarning != "" {
				notes = append(notes, fmt.Sprintf("%s: warning: %s", o.Name, o.FailModeWarning))
			}
			return notes
		},
		name: func(o api.Switch) string { return o.Name },
	}.with(kind{name: "switches", aliases: []string{"switch", "sw"}, short: "Bridges that are connected or configured", example: "host1"}),

	layout[api.Port]{
		header: []string{"SWITCH", "PORT", "NO", "STATE", "MODE", "NETWORKS", "NATIVE", "KIND", "SOURCE", "RX", "TX", "DROPPED", "ERRORS"},
		row: func(_ *app, o api.Port) []string {
			where := "edge"
			if o.Transit {
				where = "transit"
			}
			row := []string{
				o.Switch, o.Name, openflow.PortNo(o.Number).String(), linkState(o.Up, o.Observable), o.Mode,
				several(o.Networks), o.Native, where, o.Source, "", "", "", "",
			}
			if c := o.Counters; c != nil {
				for i, n := range []uint64{c.RxPackets, c.TxPackets, c.RxDropped + c.TxDropped, c.RxErrors + c.TxErrors} {
					row[len(row)-4+i] = strconv.FormatUint(n, 10)
				}
			}
			return row
		},
		name: func(o api.Port) string { return o.Switch + ":" + o.Name },
	}.with(kind{name: "ports", aliases: []string{"port"}, filters: []string{"switch", "network"}, short: "Ports, what each carries, and packets counted", example: "host1:vif1"}),

	layout[api.Host]{
		header: []string{"NAME", "MAC", "IPS", "NETWORK", "VLAN", "SWITCH", "PORT", "SEEN"},
		row: func(a *app, o api.Host) []string {
			return []string{o.Name, o.MAC, several(o.IPs), o.Network, strconv.Itoa(int(o.VLAN)), o.Switch, o.Port, a.age(o.LastSeen)}
		},
		note: func(o api.Host) []string {
			if !o.Frozen {
				return nil
			}
			return []string{fmt.Sprintf("%s: moved too often and is frozen for a while", o.Name)}
		},
		name: func(o api.Host) string { return o.Name },
	}.with(kind{name: "hosts", aliases: []string{"host"}, filters: []string{"switch", "network"}, short: "Machines, their addresses and places", example: "vm1"}),

	layout[api.Link]{
		header: []string{"A", "B", "KIND", "STATE", "FORWARDING", "LATENCY"},
		row: func(_ *app, o api.Link) []string {
			latency := ""
			if o.LatencySeconds != nil {
				latency = millis(*o.LatencySeconds)
			}
			return []string{o.A.String(), o.B.String(), o.Kind, o.State, yes(o.Forwarding), latency}
		},
		name: func(o api.Link) string { return o.Name },
	}.with(kind{name: "links", aliases: []string{"link"}, filters: []string{"switch"}, short: "Links between switches", example: "host1:vx0--host2:vx0"}),

	layout[api.Network]{
		header: []string{"NAME", "VLAN", "VNI", "SUBNET", "GATEWAY", "HOSTS", "PORTS"},
		row: func(_ *app, o api.Network) []string {
			vni := ""
			if o.VNI != 0 {
				vni = strconv.FormatUint(uint64(o.VNI), 10)
			}
			return []string{o.Name, strconv.Itoa(int(o.VLAN)), vni, o.Subnet, o.Gateway, strconv.Itoa(o.Hosts), strconv.Itoa(o.Ports)}
		},
		name: func(o api.Network) string { return o.Name },
	}.with(kind{name: "networks", aliases: []string{"network", "net"}, short: "Layer 2 networks", example: "blue"}),

	layout[api.Tunnel]{
		header: []string{"SWITCH", "PORT", "TYPE", "LOCAL", "REMOTE", "KEY", "MODE", "STATE", "PEER", "NETWORKS"},
		row: func(_ *app, o api.Tunnel) []string {
			peer := ""
			if o.Peer != nil {
				peer = o.Peer.String()
			}
			return []string{o.Switch, o.Port, o.Type, o.Local, o.Remote, o.Key, o.Mode, linkState(o.Up, true), peer, several(o.Networks)}
		},
		name: func(o api.Tunnel) string { return o.Name },
	}.with(kind{name: "tunnels", aliases: []string{"tunnel"}, filters: []string{"switch", "network"}, short: "Tunnel ports and where they lead", example: "host1:vx0"}),

	layout[api.Flow]{
		header: []string{"SWITCH", "TABLE", "PRIORITY", "OWNER", "MATCH", "ACTIONS"},
		row: func(_ *app, o api.Flow) []string {
			tableName := strconv.Itoa(int(o.Table))
			if o.TableName != "" {
				tableName += " " + o.TableName
			}
			return []string{o.Switch, tableName, strconv.Itoa(int(o.Priority)), o.Owner, o.Match, o.Actions}
		},
		name: func(o api.Flow) string { return o.Switch },
	}.with(kind{name: "flows", aliases: []string{"flow"}, filters: []string{"switch", "table"}, short: "Rules in the switches; NAME is a switch", example: "host1"}),

	layout[api.Probe]{
		header: []string{"NAME", "COVERS", "TYPE", "INTERVAL", "TIMEOUT", "EXPECT", "PAIRS", "OK", "FAILING", "PENDING"},
		row: func(_ *app, o api.Probe) []string {
			return []string{
				o.Name, o.Of, o.Type, secondsText(o.IntervalSeconds), secondsText(o.TimeoutSeconds), string(o.Expect),
				strconv.Itoa(o.Pairs), strconv.Itoa(o.OK), strconv.Itoa(o.Failing), strconv.Itoa(o.Pending),
			}
		},
		name: func(o api.Probe) string { return o.Name },
	}.with(kind{name: "probes", aliases: []string{"probe"}, short: "Continuous probes of the configuration", example: "blue-mesh"}),

	layout[api.MeshEntry]{
		header: []string{"PROBE", "SOURCE", "DESTINATION", "EXPECT", "VERDICT", "OK", "LOSS", "RTT", "LAST", "WHY"},
		row: func(a *app, o api.MeshEntry) []string {
			rtt, why := "", ""
			if o.RTTSeconds != nil {
				rtt = millis(*o.RTTSeconds)
			}
			if o.Loss != nil {
				why = lossText(o.Loss)
			}
			return []string{
				o.Probe, o.Source, o.Destination, string(o.Expect), string(o.Verdict), yes(o.OK),
				percent(o.LossRatio), rtt, a.age(o.Last), why,
			}
		},
		name: func(o api.MeshEntry) string { return o.Probe },
	}.with(kind{name: "mesh", filters: []string{"network"}, short: "The newest verdict of each pair; NAME is a probe", example: "blue-mesh"}),
}

// linkState writes the state of a port.
func linkState(up, observable bool) string {
	switch {
	case !observable:
		return "unseen" // Open vSwitch cannot tell
	case up:
		return "up"
	default:
		return "down"
	}
}

// secondsText writes a number of seconds as Go writes durations.
func secondsText(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).String()
}

// percent writes a ratio as ping does: whole numbers without a fraction.
func percent(ratio float64) string {
	return strconv.FormatFloat(float64(int64(ratio*1000+0.5))/10, 'f', -1, 64) + "%"
}

// lossText writes where and why probes were lost in one line.
func lossText(l *api.Loss) string {
	text := l.Stage
	if l.Where != nil {
		text += " at " + l.Where.String()
	}
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}
