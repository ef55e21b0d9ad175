package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools maps what a lab runs to the Debian package that has it.
var tools = []struct{ program, pkg string }{
	{"ovs-vswitchd", "openvswitch-switch"},
	{"ovs-vsctl", "openvswitch-switch"},
	{"ovs-ofctl", "openvswitch-switch"},
	{"ovs-appctl", "openvswitch-switch"},
	{"ovsdb-server", "openvswitch-switch"},
	{"ovsdb-tool", "openvswitch-switch"},
	{"ip", "iproute2"},
	{"ping", "iputils-ping"},
	{"tcpdump", "tcpdump"},
	{"dnsmasq", "dnsmasq-base"},
	{"dhclient", "isc-dhcp-client"},
	{"iptables", "iptables"},
}

// Available reports why a lab cannot be made here: it needs root and some of Debian's packages.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("a lab makes network namespaces and therefore needs root")
	}
	// A plain user's PATH, kept by sudo, may lack what root's has.
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path := os.Getenv("PATH"); !strings.Contains(":"+path+":", ":"+dir+":") {
			os.Setenv("PATH", path+":"+dir)
		}
	}
	var missing, packages []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.program); err != nil {
			missing, packages = append(missing, tool.program), append(packages, tool.pkg)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("a lab needs %s: make deps, or apt-get install %s", strings.Join(missing, ", "),
			strings.Join(slices.Compact(packages), " ")) // tools has those of one package next to each other
	}
	return nil
}
