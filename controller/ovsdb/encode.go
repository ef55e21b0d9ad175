package ovsdb

import (
	"encoding/json"
	"fmt"

	libovsdb "github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// database is the name of Open vSwitch's database at its server.
const database = "Open_vSwitch"

// monitorName is what the server repeats in every update of ours.
const monitorName = "eosin"

// The columns that are read, by table. All of them are older than any Open vSwitch with OpenFlow 1.3, so that no schema is asked
// for. What is to be read of further tables (tag, trunks and vlan_mode of Port) begins with an entry here and a case in
// [Database.apply].
var monitored = map[string]libovsdb.MonitorRequest{
	tableBridge:     {Columns: []string{"name", "datapath_id", "fail_mode", "protocols", "controller"}},
	tableController: {Columns: []string{"target"}},
}

const (
	tableBridge     = "Bridge"
	tableController = "Controller"
)

// Ids of our requests.
const (
	monitorID = 1
	echoID    = 2
)

// request is a JSON-RPC request as RFC 7047 section 4 has it.
type request struct {
	Method string `json:"method"`
	Params []any  `json:"params"`
	ID     int    `json:"id"`
}

// appendMonitor asks for all rows, and from then on for every change (section 4.1.5).
func appendMonitor(b []byte) ([]byte, error) {
	return appendJSON(b, request{"monitor", libovsdb.NewMonitorArgs(database, monitorName, monitored), monitorID})
}

// appendEcho asks for a sign of life (section 4.1.11).
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
