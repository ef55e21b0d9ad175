package lab

import (
	"fmt"
	"net/netip"
	"time"
)

// underlayMTU lets guests keep their 1500 bytes inside a tunnel.
const underlayMTU = 1600

// buildFabric makes the namespace that joins the hosts, and the root namespace's way into it.
func (l *Lab) buildFabric() {
	since := time.Now()
	l.names["fabric"] = true
	l.fabric = l.addNamespace("fabric", false)
	l.fabric.addLinuxBridge("mgmt", 0)
	link := rootLink(l.state.Number)
	l.check(l.state.update(func() { l.state.Links = append(l.state.Links, link) }), "record link %s", link)
	l.check(deleteLink(link), "remove a link %s that no lab has", link)
	l.addVeth(vethEnd{ns: l.root, name: link}, vethEnd{ns: l.fabric, name: "root"})
	l.fabric.enslave("root", "mgmt")
	l.root.AddAddr(link, l.ControllerIP()+"/24")
	l.progress(since, "lab %s: controller network %s/24 on %s", l.Name, l.ControllerIP(), link)
}

// joinManagement gives a host an address that reaches the controller.
func (h *Host) joinManagement() {
	outer := fmt.Sprintf("m%d", h.index)
	h.lab.addVeth(vethEnd{ns: h.Namespace, name: "mgmt0"}, vethEnd{ns: h.lab.fabric, name: outer})
	h.lab.fabric.enslave(outer, "mgmt")
	h.AddAddr("mgmt0", h.ManagementIP()+"/24")
}

// ManagementIP is the host's address in the management network: where a controller reaches a bridge that listens
// (ptcp:).
func (h *Host) ManagementIP() string { return managementIP(h.lab.state.Number, 9+h.index) }

// SetManagement cuts (false) or restores the host's network to the controller. Connections then time out, they are not
// reset.
func (h *Host) SetManagement(up bool) { h.lab.fabric.SetLink(fmt.Sprintf("m%d", h.index), up) }

// SetUnderlay cuts (false) or restores the network that carries the host's tunnels.
func (h *Host) SetUnderlay(up bool) { h.lab.fabric.SetLink(h.underlayOuter(), up) }

func (h *Host) underlayOuter() string { return fmt.Sprintf("u%d", h.index) }

// UnderlayIP is the host's tunnel endpoint address. The first use joins the host to the underlay: bridge br-phy of the
// userspace datapath holds the address, since that datapath sends tunnel packets only through a bridge it owns.
func (h *Host) UnderlayIP() string {
	ip := netip.AddrFrom4([4]byte{172, 30, 0, byte(h.index)}).String()
	if h.phy != nil {
		return ip
	}
	l, since := h.lab, time.Now()
	if !l.underlayOnce {
		l.underlayOnce = true
		l.fabric.addLinuxBridge("underlay", underlayMTU)
	}
	l.addVeth(
		vethEnd{ns: h.Namespace, name: "ul0", mtu: underlayMTU},
		vethEnd{ns: l.fabric, name: h.underlayOuter(), mtu: underlayMTU},
	)
	l.fabric.enslave(h.underlayOuter(), "underlay")
	h.phy = h.AddBridge("br-phy", BridgeOptions{
		FailMode: "standalone", DatapathID: 0xfab0000 + uint64(h.index), MAC: mac(2, h.index).String(),
	})
	h.phy.AddPort("ul0")
	configure := func() {
		h.SetMTU("br-phy", underlayMTU)
		h.AddAddr("br-phy", ip+"/24")
		h.SetLink("br-phy", true)
	}
	configure()
	// The device is made anew by every start of ovs-vswitchd.
	h.afterVswitchd = append(h.afterVswitchd, configure)
	l.progress(since, "%s: underlay %s", h.Name, ip)
	return ip
}
