package lab

import "time"

// A Wire joins two bridges by a pair of links, on one host or two.
type Wire struct {
	A, B         *Bridge
	PortA, PortB string
}

// Wire connects port portA of a new pair to bridge a and portB to b.
func (l *Lab) Wire(a *Bridge, portA string, b *Bridge, portB string) *Wire {
	since := time.Now()
	w := &Wire{A: a, B: b, PortA: portA, PortB: portB}
	l.addVeth(vethEnd{ns: a.Host.Namespace, name: portA}, vethEnd{ns: b.Host.Namespace, name: portB})
	a.AddPort(portA)
	b.AddPort(portB)
	l.progress(since, "wire %s:%s to %s:%s", a, portA, b, portB)
	return w
}

// Cut takes the wire down; both ends lose their carrier.
func (w *Wire) Cut() { w.A.Host.SetLink(w.PortA, false) }

// Heal brings it up again.
func (w *Wire) Heal() {
	w.A.Host.SetLink(w.PortA, true)
	w.A.Host.awaitUp(w.PortA)
}

// Capture on the A end.
func (w *Wire) Capture(filter string) *Capture { return w.A.Host.Capture(w.PortA, filter) }

// Patch joins two bridges of one host by a pair of patch ports.
func (l *Lab) Patch(a *Bridge, portA string, b *Bridge, portB string) {
	if a.Host != b.Host {
		l.fatal("patch ports join bridges of one host, not %s and %s", a, b)
	}
	a.Host.Vsctl(
		"add-port", a.Name, portA, "--", "set", "Interface", portA, "type=patch", "options:peer="+portB, "--",
		"add-port", b.Name, portB, "--", "set", "Interface", portB, "type=patch", "options:peer="+portA,
	)
}
