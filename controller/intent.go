package controller

import (
	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
)

var traps = map[config.Trap]datapath.Trap{
	config.TrapAuto: datapath.TrapAuto, config.TrapConntrack: datapath.TrapConntrack, config.TrapDSCP: datapath.TrapDSCP,
}

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
		Name: name, Networks: nets, AuditEvery: cfg.Audit.Interval, Claim: cfg.OpenFlow.Role == config.RoleMaster, Trap: traps[cfg.Probing.Trap],
		Settings: apps.Settings{
			HostTimeout: cfg.Learning.Timeout, HostsPerPort: cfg.Limits.HostsPerPort, HostsPerSwitch: cfg.Limits.HostsPerSwitch,
			PacketIns: cfg.Limits.PacketInsPerSecond, Moves: cfg.Limits.Moves, Probes: cfg.Limits.ProbesPerSecond,
		},
		Port: func(port string, no openflow.PortNo) datapath.PortIntent {
			r := cfg.ResolvePort(id, port, uint32(no))
			p := datapath.PortIntent{VLANs: r.VLANs, Native: r.Native, Source: string(r.Source)}
			switch r.Mode {
			case config.Access:
				p.Mode = apps.Access
				if len(r.VLANs) == 1 {
					p.Native = r.VLANs[0]
				}
			case config.Trunk:
				p.Mode = apps.Trunk
			case config.Tunnel:
				p.Mode = apps.Tunnel
			default:
				p.Mode, p.VLANs, p.Native = apps.Closed, nil, 0
			}
			return p
		},
	}
}
