package ovsdb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// openflowPort is the port of a target that names none.
const openflowPort = 6653

// MatchesTarget reports whether a controller target (tcp:IP[:PORT], ssl:IP[:PORT], unix:PATH) is one of the listen
// addresses, which have the same form with a port. A wildcard address, or one given by name, stands for all local ones.
func MatchesTarget(target string, listen []string, local []netip.Addr) bool {
	kind, rest, _ := strings.Cut(target, ":")
	to, err := netip.ParseAddrPort(rest)
	if err != nil {
		ip, _ := netip.ParseAddr(strings.Trim(rest, "[]"))
		to = netip.AddrPortFrom(ip, openflowPort)
	}
	isTo := func(ip netip.Addr) bool { return ip.Unmap() == to.Addr().Unmap() }
	return slices.ContainsFunc(listen, func(l string) bool {
		address, ok := strings.CutPrefix(l, kind+":")
		switch {
		case !ok || kind == "unix" || !to.IsValid():
			return ok && kind == "unix" && address == rest
		case !strings.HasSuffix(address, fmt.Sprintf(":%d", to.Port())):
			return false
		}
		at, err := netip.ParseAddrPort(address)
		if err == nil && !at.Addr().IsUnspecified() {
			return isTo(at.Addr())
		}
		return slices.ContainsFunc(local, isTo)
	})
}
