package ovsdb

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// Limits per server.
const (
	maxBridges       = 1024
	maxControllers   = 4096
	maxPerBridge     = 64 // controllers of one bridge
	maxProtocols     = 16
	maxTables        = 16
	maxRowsPerUpdate = maxBridges + maxControllers
)

// Bridge is a row of table Bridge with the targets of its controllers.
type Bridge struct {
	UUID        string              // row id
	Name        string              // any text
	DatapathID  openflow.DatapathID // 0 until ovs-vswitchd has assigned it
	FailMode    string              // "secure", "standalone", or "" if unset, which means standalone
	Protocols   []string            // empty: Open vSwitch's default, which is all versions
	Controllers []string            // targets, sorted
}

// Secure reports whether the bridge forwards by its installed flows alone while no controller is connected.
func (b *Bridge) Secure() bool { return b.FailMode == "secure" }

// Database is the replica of the monitored columns of one server. The zero value is empty.
type Database struct {
	bridges     map[string]bridgeRow // by UUID
	controllers map[string]string    // targets by UUID
}

// bridgeRow is a bridge with the row ids of its controllers, which may arrive after it.
type bridgeRow struct {
	Bridge
	controllers []string
}

// Bridges returns all bridges, sorted by name.
func (d *Database) Bridges() []Bridge {
	list := make([]Bridge, 0, len(d.bridges))
	for _, row := range d.bridges {
		b := row.Bridge
		for _, id := range row.controllers {
			if target, ok := d.controllers[id]; ok {
				b.Controllers = append(b.Controllers, target)
			}
		}
		slices.Sort(b.Controllers)
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Bridge) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.UUID, b.UUID))
	})
	return list
}

// change is a row-update (RFC 7047 section 4.1.6). New has every monitored column; it is absent if the row was deleted.
type change struct {
	New map[string]json.RawMessage `json:"new"`
}

// apply applies table-updates, from the first reply or an update. After an error the database must not be used.
func (d *Database) apply(raw json.RawMessage) error {
	var tables map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tables); err != nil {
		return fmt.Errorf("table-updates: %w", err)
	}
	if len(tables) > maxTables {
		return fmt.Errorf("table-updates: %d tables, where %d were asked for", len(tables), len(monitored))
	}
	for name, raw := range tables {
		row := d.bridge
		switch name {
		case tableBridge:
		case tableController:
			row = d.controller
		default:
			return fmt.Errorf("table-updates: table %.40q was not asked for", name)
		}
		var rows map[string]*change
		if err := json.Unmarshal(raw, &rows); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		if len(rows) > maxRowsPerUpdate {
			return fmt.Errorf("table %s: an update of %d rows", name, len(rows))
		}
		for id, c := range rows {
			if !isUUID(id) || c == nil {
				return fmt.Errorf("table %s: row %.40q: %w", name, id, errValue)
			}
			if err := row(id, c.New); err != nil {
				return fmt.Errorf("table %s: row %s: %w", name, id, err)
			}
		}
	}
	if len(d.bridges) > maxBridges || len(d.controllers) > maxControllers {
		return fmt.Errorf("the database has more than %d bridges or %d controllers", maxBridges, maxControllers)
	}
	return nil
}

// bridge applies a change of a row of table Bridge.
func (d *Database) bridge(id string, columns map[string]json.RawMessage) error {
	if columns == nil {
		delete(d.bridges, id)
		return nil
	}
	row := bridgeRow{Bridge: Bridge{UUID: id}}
	var name, datapath string
	var err [5]error
	name, err[0] = optional(columns["name"])
	datapath, err[1] = optional(columns["datapath_id"])
	row.FailMode, err[2] = optional(columns["fail_mode"])
	row.Protocols, err[3] = texts(columns["protocols"], maxProtocols)
	row.controllers, err[4] = references(columns["controller"], maxPerBridge)
	if err := errors.Join(err[:]...); err != nil {
		return err
	}
	row.Name = name
	if datapath != "" {
		id, err := openflow.ParseDatapathID(datapath)
		if err != nil {
			return err
		}
		row.DatapathID = id
	}
	if d.bridges == nil {
		d.bridges = map[string]bridgeRow{}
	}
	d.bridges[id] = row
	return nil
}

// controller applies a change of a row of table Controller.
func (d *Database) controller(id string, columns map[string]json.RawMessage) error {
	if columns == nil {
		delete(d.controllers, id)
		return nil
	}
	target, err := optional(columns["target"])
	if err != nil {
		return err
	}
	if d.controllers == nil {
		d.controllers = map[string]string{}
	}
	d.controllers[id] = target
	return nil
}
