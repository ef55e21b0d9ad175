package ovsdb

import (
	"net/netip"
	"slices"
	"strings"
)

// openflowPort is the port of a target that names none.
const openflowPort = "6653"

// MatchesTarget reports whether a controller target (tcp:IP[:PORT], ssl:IP[:PORT], unix:PATH) is one of the listen
// addresses, which have the same form with a port. A wildcard address, or one given by name, stands for all local ones.
func MatchesTarget(target string, listen []string, local []netip.Addr) bool {
	for _, l := range listen {
		kind, address, _ := strings.Cut(l, ":")
		rest, ok := strings.CutPrefix(target, kind+":")
		switch {
		case !ok:
			continue
		case kind == "unix":
			if rest == address {
				return true
			}
			continue
		}
		host, port := splitPort(rest)
		at, atPort := splitPort(address)
		ip, err := netip.ParseAddr(host)
		if err != nil || port != atPort {
			continue
		}
		own, err := netip.ParseAddr(at)
		if err == nil && !own.IsUnspecified() {
			if own.Unmap() == ip.Unmap() {
				return true
			}
			continue
		}
		if slices.ContainsFunc(local, func(a netip.Addr) bool { return a.Unmap() == ip.Unmap() }) {
			return true
		}
	}
	return false
}

// splitPort splits IP[:PORT]; an IPv6 address with a port is in brackets.
func splitPort(s string) (host, port string) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, port, _ = strings.Cut(rest, "]")
		port = strings.TrimPrefix(port, ":")
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 && strings.Count(s, ":") == 1 {
		host, port = s[:i], s[i+1:]
	} else {
		host = s
	}
	if port == "" {
		port = openflowPort
	}
	return host, port
}
