package lab

import (
	"fmt"
	"strconv"
	"time"
)

// TunnelOptions of one tunnel port.
type TunnelOptions struct {
	Type    string            // "vxlan", "gre" or "geneve"
	To      *Host             // the other end; or
	Remote  string            // its address, or "flow"
	Local   string            // empty: as routes say; or "flow"
	Key     string            // "flow", a number, or empty: keyless GRE, VNI 0
	DstPort int               // 0: the type's own (4789, 6081)
	Options map[string]string // further options ("df_default": "false")
}

// AddTunnel adds a tunnel port over the underlay, whose address the host gets if it has none yet.
func (b *Bridge) AddTunnel(port string, o TunnelOptions) {
	since := time.Now()
	b.Host.UnderlayIP()
	remote := o.Remote
	if o.To != nil {
		remote = o.To.UnderlayIP()
		b.Host.knowNeighbour(o.To)
		b.Host.afterVswitchd = append(b.Host.afterVswitchd, func() { b.Host.knowNeighbour(o.To) })
	}
	settings := []string{"type=" + o.Type, "options:remote_ip=" + remote}
	for key, value := range map[string]string{"local_ip": o.Local, "key": o.Key, "dst_port": number(o.DstPort)} {
		if value != "" {
			settings = append(settings, "options:"+key+"="+value)
		}
	}
	for key, value := range o.Options {
		settings = append(settings, fmt.Sprintf("options:%s=%q", key, value))
	}
	b.AddPort(port, settings...)
	b.Host.lab.progress(since, "%s: %s tunnel %s to %s", b, o.Type, port, remote)
}

// Tunnel joins two bridges: a port of the same name at both ends.
func (l *Lab) Tunnel(a, b *Bridge, port string, o TunnelOptions) {
	here, there := o, o
	here.To, there.To = b.Host, a.Host
	a.AddTunnel(port, here)
	b.AddTunnel(port, there)
}

// knowNeighbour tells OVS the other end's MAC. OVS would find it by ARP, but drop the packet that made it ask.
func (h *Host) knowNeighbour(other *Host) {
	h.Appctl("tnl/neigh/set", "br-phy", other.UnderlayIP(), other.phy.opts.MAC)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
