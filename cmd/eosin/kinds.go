package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/openflow"
)

// kind is a kind of object that get lists. Its name is that of the API's list.
type kind struct {
	name, short, example string
	aliases              []string
	filters              []string // query parameters of the API, and flags of the command
	table                func(a *app, body []byte) (table, error)
	names                func(body []byte) []string
}

// table is a list as it is printed.
type table struct {
	header []string
	rows   [][]string
	notes  []string // lines under the table
}

// list is a kind of objects of type T: the columns, separated by commas, and for each object its name, its row, and
// notes.
func list[T any](k kind, columns string, name func(T) string, row func(T) []any, notes ...func(T) []string) kind {
	k.table = func(a *app, body []byte) (table, error) {
		list, err := decodeList[T](body)
		t := table{header: strings.Split(columns, ",")}
		for _, o := range list {
			t.rows = append(t.rows, a.cells(row(o)))
			for _, note := range notes {
				t.notes = append(t.notes, note(o)...)
			}
		}
		return t, err
	}
	k.names = func(body []byte) (names []string) {
		list, err := decodeList[T](body)
		if err != nil {
			return nil
		}
		for _, o := range list {
			names = append(names, name(o))
		}
		return names
	}
	return k
}

// cells formats the values of a row.
func (a *app) cells(values []any) []string {
	cells := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case bool:
			cells[i] = yes(v)
		case []string:
			cells[i] = joinNames(v)
		case *time.Time:
			cells[i] = a.age(v)
		case *float64: // seconds
			if v != nil {
				cells[i] = millis(*v)
			}
		case *probespec.Seconds:
			if v != nil {
				cells[i] = millis(v.Seconds())
			}
		case *api.Place:
			if v != nil {
				cells[i] = v.String()
			}
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return cells
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
	list(kind{
		name: "switches", aliases: []string{"switch", "sw"}, example: "host1",
		short: "Bridges that are connected or configured",
	},
		"NAME,DATAPATH ID,STATE,SINCE,ROLE,ADDRESS,PORTS,FLOWS,FAIL MODE,SOFTWARE",
		func(o api.Switch) string { return o.Name },
		func(o api.Switch) []any {
			state := "disconnected"
			if o.Connected {
				state = "connected"
			}
			return []any{
				o.Name, o.DatapathID, state, o.ConnectedSince, o.Role, o.Address, o.Ports, o.Flows, o.FailMode,
				o.Software,
			}
		},
		func(o api.Switch) (notes []string) {
			if o.Error != "" {
				notes = append(notes, fmt.Sprintf("%s: error: %s", o.Name, o.Error))
			}
			if o.FailModeWarning != "" {
				notes = append(notes, fmt.Sprintf("%s: warning: %s", o.Name, o.FailModeWarning))
			}
			return notes
		}),

	list(kind{
		name: "ports", aliases: []string{"port"}, filters: []string{"switch", "network"}, example: "host1:vif1",
		short: "Ports, what each carries, and packets counted",
	},
		"SWITCH,PORT,NO,STATE,MODE,NETWORKS,NATIVE,KIND,SOURCE,RX,TX,DROPPED,ERRORS",
		func(o api.Port) string { return o.Switch + ":" + o.Name },
		func(o api.Port) []any {
			where := "edge"
			if o.Transit {
				where = "transit"
			}
			row := []any{
				o.Switch, o.Name, openflow.PortNo(o.Number), linkState(o.Up,
					o.Observable), o.Mode, o.Networks, o.Native, where, o.Source,
			}
			if c := o.Counters; c != nil {
				return append(row, c.RxPackets, c.TxPackets, c.RxDropped+c.TxDropped, c.RxErrors+c.TxErrors)
			}
			return append(row, "", "", "", "")
		}),

	list(kind{
		name: "hosts", aliases: []string{"host"}, filters: []string{"switch", "network"}, example: "vm1",
		short: "Machines, their addresses and places",
	},
		"NAME,MAC,IPS,NETWORK,VLAN,SWITCH,PORT,SEEN",
		func(o api.Host) string { return o.Name },
		func(o api.Host) []any {
			return []any{o.Name, o.MAC, o.IPs, o.Network, o.VLAN, o.Switch, o.Port, o.LastSeen}
		},
		func(o api.Host) []string {
			if !o.Frozen {
				return nil
			}
			return []string{fmt.Sprintf("%s: moved too often and is frozen for a while", o.Name)}
		}),

	list(kind{
		name: "links", aliases: []string{"link"}, filters: []string{"switch"}, example: "host1:vx0--host2:vx0",
		short: "Links between switches",
	},
		"A,B,KIND,STATE,FORWARDING,LATENCY",
		func(o api.Link) string { return o.Name },
		func(o api.Link) []any {
			return []any{o.A, o.B, o.Kind, o.State, o.Forwarding, o.LatencySeconds}
		}),

	list(kind{name: "networks", aliases: []string{"network", "net"}, example: "blue", short: "Layer 2 networks"},
		"NAME,VLAN,VNI,SUBNET,GATEWAY,HOSTS,PORTS",
		func(o api.Network) string { return o.Name },
		func(o api.Network) []any {
			var vni any = o.VNI
			if o.VNI == 0 {
				vni = ""
			}
			return []any{o.Name, o.VLAN, vni, o.Subnet, o.Gateway, o.Hosts, o.Ports}
		}),

	list(kind{
		name: "tunnels", aliases: []string{"tunnel"}, filters: []string{"switch", "network"}, example: "host1:vx0",
		short: "Tunnel ports and where they lead",
	},
		"SWITCH,PORT,TYPE,LOCAL,REMOTE,KEY,MODE,STATE,PEER,NETWORKS",
		func(o api.Tunnel) string { return o.Name },
		func(o api.Tunnel) []any {
			return []any{
				o.Switch, o.Port, o.Type, o.Local, o.Remote, o.Key, o.Mode, linkState(o.Up, true), o.Peer,
				o.Networks,
			}
		}),

	list(kind{
		name: "flows", aliases: []string{"flow"}, filters: []string{"switch", "table"}, example: "host1",
		short: "Rules in the switches; NAME is a switch",
	},
		"SWITCH,TABLE,PRIORITY,OWNER,MATCH,ACTIONS",
		func(o api.Flow) string { return o.Switch },
		func(o api.Flow) []any {
			table := strings.TrimSpace(fmt.Sprint(o.Table, " ", o.TableName))
			return []any{o.Switch, table, o.Priority, o.Owner, o.Match, o.Actions}
		}),

	list(kind{
		name: "probes", aliases: []string{"probe"}, example: "blue-mesh",
		short: "Continuous probes of the configuration",
	},
		"NAME,COVERS,TYPE,INTERVAL,TIMEOUT,EXPECT,PAIRS,OK,FAILING,PENDING",
		func(o probespec.Status) string { return o.Name },
		func(o probespec.Status) []any {
			return []any{
				o.Name, o.Of, o.Type, o.Interval, o.Timeout, o.Expect, o.Pairs, o.OK, o.Failing, o.Pending,
			}
		}),

	list(kind{
		name: "mesh", filters: []string{"network"}, example: "blue-mesh",
		short: "The newest verdict of each pair; NAME is a probe",
	},
		"PROBE,SOURCE,DESTINATION,EXPECT,VERDICT,OK,LOSS,RTT,LAST,WHY",
		func(o probespec.MeshEntry) string { return o.Probe },
		func(o probespec.MeshEntry) []any {
			why := ""
			if o.Loss != nil {
				why = lossText(o.Loss)
			}
			return []any{
				o.Probe, o.Source, o.Destination, o.Expect, o.Verdict, o.OK, percent(o.LossRatio), o.RTT,
				o.Last, why,
			}
		}),
}

func linkState(up, observable bool) string {
	switch {
	case !observable:
		return "unseen" // Open vSwitch does not know
	case up:
		return "up"
	default:
		return "down"
	}
}

// percent formats a ratio as ping does: whole numbers without a fraction.
func percent(ratio float64) string {
	return strconv.FormatFloat(float64(int64(ratio*1000+0.5))/10, 'f', -1, 64) + "%"
}

// lossText says in one line where and why probes were lost.
func lossText(l *probespec.Loss) string {
	text := string(l.Stage)
	if l.Where != nil {
		text += " at " + l.Where.String()
	}
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}
