package ovsdb

import (
	"encoding/json"
	"fmt"

	libovsdb "github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// database is the name of Open vSwitch's database (ovs-vswitchd.conf.db(5)).
const database = "Open_vSwitch"

// monitorName is the monitor id, which the server repeats in every update.
const monitorName = "eosin"

// monitored lists the columns that are read, by table. Every Open vSwitch with OpenFlow 1.3 has them, so that no schema
// is requested. A further table (such as Port) needs an entry here and a case in [Database.apply].
var monitored = map[string]libovsdb.MonitorRequest{
	tableBridge:     {Columns: []string{"name", "datapath_id", "fail_mode", "protocols", "controller"}},
	tableController: {Columns: []string{"target"}},
}

const (
	tableBridge     = "Bridge"
	tableController = "Controller"
)

// Request ids.
const (
	monitorID = 1
	echoID    = 2
)

// request is a JSON-RPC request (RFC 7047 section 4).
type request struct {
	Method string `json:"method"`
	Params []any  `json:"params"`
	ID     int    `json:"id"`
}

// appendMonitor requests all rows and every later change (section 4.1.5).
func appendMonitor(b []byte) ([]byte, error) {
	return appendJSON(b, request{"monitor", libovsdb.NewMonitorArgs(database, monitorName, monitored), monitorID})
}

// appendEcho appends an echo request, which checks that the server is alive (section 4.1.11).
func appendEcho(b []byte) ([]byte, error) {
	return appendJSON(b, request{"echo", libovsdb.NewEchoArgs(), echoID})
}

// appendEchoReply answers the server's echo.
func appendEchoReply(b []byte, id, params json.RawMessage) ([]byte, error) {
	return appendJSON(b, struct {
		ID     json.RawMessage `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  any             `json:"error"`
	}{id, params, nil})
}

func appendJSON(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("encode a request: %w", err)
	}
	return append(b, text...), nil
}
