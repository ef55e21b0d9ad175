package lab

import "time"

// RouterOptions of a router that hides the inside behind its outer address.
type RouterOptions struct {
	Inside  VMOptions // its port on the bridge; Addrs are the gateway addresses of the guests
	Outside string    // its outer address, such as "192.0.2.1/24"
	Outer   string    // the address of the host beyond it, such as "192.0.2.2/24"
}

// A Router is a guest that forwards and translates addresses (iptables MASQUERADE) to an outer network with one host in
// it.
type Router struct {
	*VM
	Outer *VM // has no route back to the inside: what reaches it was translated
}

// AddRouter makes a router on a port of the bridge, and the outer network named after it.
func (b *Bridge) AddRouter(name string, o RouterOptions) *Router {
	l, since := b.Host.lab, time.Now()
	router := b.AddVM(name, o.Inside)
	outerName := name + "-outer"
	l.claimName(outerName)
	outer := &VM{
		Namespace: l.addNamespace(outerName, false), Name: outerName,
		opts: VMOptions{Addrs: []string{o.Outer}},
	}
	l.vms = append(l.vms, outer)
	l.addVeth(vethEnd{ns: router.Namespace, name: "outer0"}, vethEnd{ns: outer.Namespace, name: "eth0"})
	outer.MAC = outer.HardwareAddr("eth0")
	router.AddAddr("outer0", o.Outside)
	outer.configure()
	router.Sysctl("net.ipv4.ip_forward", "1")
	router.Run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "outer0", "-j", "MASQUERADE")
	l.progress(since, "%s: router to %s", name, o.Outer)
	return &Router{VM: router, Outer: outer}
}
