package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DHCPServerOptions for dnsmasq.
type DHCPServerOptions struct {
	Range  string // "10.0.3.100,10.0.3.150"
	Router string // option 3; empty: none is offered
}

// StartDHCPServer runs dnsmasq, as DHCP server only, in the guest.
func (v *VM) StartDHCPServer(o DHCPServerOptions) *Process {
	router := "--dhcp-option=3"
	if o.Router != "" {
		router += "," + o.Router
	}
	p := v.Spawn(v.Name+": dnsmasq", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
		"--user=root", "--log-facility=-", "--log-dhcp", "--interface=eth0", "--bind-interfaces", "--no-ping",
		"--dhcp-authoritative", "--pid-file", "--dhcp-range="+o.Range+",1h", router,
		"--dhcp-leasefile="+filepath.Join(v.lab.dir, v.Name+".leases"))
	p.awaitLog("DHCP, IP range")
	return p
}

// A Lease that a guest was given.
type Lease struct {
	Addr   string // with prefix length
	Router string
	Server string
}

// The client's script only notes what it was told: Debian's own would rewrite /etc/resolv.conf of the whole machine.
const leaseScript = `#!/bin/sh
if [ -n "$new_ip_address" ]; then
	printf '%s\n' "$new_ip_address" "$new_subnet_mask" "$new_routers" "$new_dhcp_server_identifier" >"$EOSIN_LEASE.new"
	mv "$EOSIN_LEASE.new" "$EOSIN_LEASE"
fi
`

// DHCP runs dhclient until it has a lease, which it applies to eth0, or the time is over.
func (v *VM) DHCP(timeout time.Duration) (Lease, error) {
	base := filepath.Join(v.lab.dir, v.Name+"-dhclient")
	v.lab.check(os.WriteFile(base+".sh", []byte(leaseScript), 0o755), "%s: dhclient script", v.Name)
	v.lab.check(os.WriteFile(base+".conf", []byte("initial-interval 1;\nbackoff-cutoff 2;\nselect-timeout 0;\n"),
		0o644), "%s: dhclient.conf", v.Name)
	for _, old := range []string{base + ".lease", base + ".db"} {
		os.Remove(old)
	}
	p := v.Spawn(fmt.Sprintf("%s: dhclient %d", v.Name, time.Now().UnixNano()), "dhclient", "-4", "-d", "-v",
		"-cf", base+".conf", "-sf", base+".sh", "-lf", base+".db", "-pf", base+".pid",
		"-e", "EOSIN_LEASE="+base+".lease", "eth0")
	defer p.Kill()
	var text []byte
	got := v.lab.Eventually(timeout, func() bool {
		var err error
		text, err = os.ReadFile(base + ".lease")
		return err == nil || !p.Running()
	})
	fields := strings.Split(string(text), "\n")
	if !got || len(fields) < 4 {
		return Lease{}, fmt.Errorf("%s: no lease within %v:\n%s", v.Name, timeout, p.Log())
	}
	mask := net.ParseIP(fields[1]).To4()
	if mask == nil {
		return Lease{}, fmt.Errorf("%s: lease with netmask %q", v.Name, fields[1])
	}
	ones, _ := net.IPMask(mask).Size()
	lease := Lease{Addr: fmt.Sprintf("%s/%d", fields[0], ones), Router: fields[2], Server: fields[3]}
	v.opts.Addrs, v.opts.Gateway = []string{lease.Addr}, lease.Router
	v.configure()
	return lease, nil
}
