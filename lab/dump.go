package lab

import (
	"fmt"
	"strings"
)

// dumpLines is how much of each section Dump shows: of tables with a hundred thousand flows, nobody reads all.
const dumpLines = 500

// Dump describes the lab's state for a person who has to find out why a test failed. It never fails itself.
func (l *Lab) Dump() string {
	var b strings.Builder
	section := func(title, text string) {
		fmt.Fprintf(&b, "===== %s\n%s\n", title, head(strings.TrimRight(text, "\n"), dumpLines))
	}
	for _, c := range l.controllers {
		if c.Process == nil {
			continue // it could not be started
		}
		section("controller log, last 60 lines", tail(c.Log(), 60))
	}
	for _, h := range l.hosts {
		command := func(title string, args ...string) {
			out, err := h.Exec(args...)
			if err != nil {
				out = err.Error()
			}
			section(h.Name+" "+title, out)
		}
		command("ovs-vsctl show", "ovs-vsctl", "--timeout=3", "show")
		for _, br := range h.Bridges() {
			command(br.Name+" ports", "ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", br.Name)
			command(br.Name+" flows", "ovs-ofctl", "-O", "OpenFlow13", "dump-flows", br.Name)
			command(br.Name+" groups", "ovs-ofctl", "-O", "OpenFlow13", "dump-groups", br.Name)
			command(br.Name+" megaflows", "ovs-appctl", "-t", h.dir+"/ovs-vswitchd.ctl", "dpif/dump-flows", br.Name)
		}
		if h.phy != nil {
			command("tunnel neighbors", "ovs-appctl", "-t", h.dir+"/ovs-vswitchd.ctl", "tnl/neigh/show")
		}
		if h.vswitchd != nil {
			section(h.Name+" ovs-vswitchd log, last 30 lines", tail(h.vswitchd.Log(), 30))
		}
	}
	for _, v := range l.vms {
		addrs, _ := v.Exec("ip", "-s", "addr")
		neighbors, _ := v.Exec("ip", "-s", "neigh")
		section(v.Name, addrs+neighbors)
	}
	return b.String()
}
