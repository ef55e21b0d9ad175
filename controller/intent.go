package controller

import (
	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
)

// intentFor translates what the config says of one switch.
func intentFor(cfg *config.Config, id openflow.DatapathID) datapath.Intent {
	name := id.String()
	if sw, ok := cfg.Switches.ByDatapathID(id); ok {
		name = sw.Name
	}
	nets := make([]apps.Network, 0, len(cfg.Networks))
	for _, n := range cfg.Networks { // ascending by VLAN
		nets = append(nets, apps.Network{Name: n.Name, VLAN: n.VLAN, VNI: n.VNI})
	}
	return datapath.Intent{
		Name: name, Networks: nets,
		AuditEvery: cfg.Audit.Interval, Claim: cfg.OpenFlow.Role == config.RoleMaster, Trap: cfg.Probing.Trap,
		Settings: cfg.Settings,
		Port:     func(port string, no openflow.PortNo) intent.Port { return cfg.ResolvePort(id, port, no) },
	}
}
