package lab

import "time"

// TunnelOptions of one tunnel port.
type TunnelOptions struct {
	Type string // "vxlan", "gre" or "geneve"
	To   *Host  // the other end
	Key  string // "flow", a number, or empty: keyless GRE, VNI 0
}

// AddTunnel adds a tunnel port over the underlay, whose address the host gets if it has none yet.
func (b *Bridge) AddTunnel(port string, o TunnelOptions) {
	since := time.Now()
	b.Host.UnderlayIP()
	remote := o.To.UnderlayIP()
	b.Host.knowNeighbor(o.To)
	b.Host.afterVswitchd = append(b.Host.afterVswitchd, func() { b.Host.knowNeighbor(o.To) })
	settings := []string{"type=" + o.Type, "options:remote_ip=" + remote}
	if o.Key != "" {
		settings = append(settings, "options:key="+o.Key)
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

// knowNeighbor tells OVS the other end's MAC. OVS would find it by ARP, but drop the packet that made it ask.
func (h *Host) knowNeighbor(other *Host) {
	h.Appctl("tnl/neigh/set", "br-phy", other.UnderlayIP(), other.phy.opts.MAC)
}
