package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// EndpointKind is the transport of an endpoint.
type EndpointKind string

// Transports.
const (
	TCP  EndpointKind = "tcp"
	SSL  EndpointKind = "ssl" // TLS over TCP, named as OVS names it
	Unix EndpointKind = "unix"
)

// Endpoint is an address to listen on or to connect to: host:port for TCP and SSL, a file name for Unix.
type Endpoint struct {
	Kind    EndpointKind
	Address string
}

// String is the form of the config file.
func (e Endpoint) String() string { return string(e.Kind) + ":" + e.Address }

// Network is the first argument of net.Listen and net.Dial; the second is Address.
func (e Endpoint) Network() string {
	if e.Kind == Unix {
		return "unix"
	}
	return "tcp"
}

// unixPathSize is sizeof(sockaddr_un.sun_path) without the terminating zero.
const unixPathSize = 107

// parseListen reads tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH. Port 0 lets the system choose.
func parseListen(s string) (Endpoint, error) { return parseEndpoint(s, 0) }

// parseConnect reads the same as parseListen, but requires host and port.
func parseConnect(s string) (Endpoint, error) {
	e, err := parseEndpoint(s, 1)
	if err != nil || e.Kind == Unix {
		return e, err
	}
	if strings.HasPrefix(e.Address, ":") {
		return Endpoint{}, fmt.Errorf("%s has no host; write %s:HOST%s", quote(s), e.Kind, e.Address)
	}
	return e, nil
}

func parseEndpoint(s string, minPort uint64) (Endpoint, error) {
	kind, address, _ := strings.Cut(s, ":")
	e := Endpoint{Kind: EndpointKind(kind), Address: address}
	switch e.Kind {
	case TCP, SSL:
		if err := checkHostPort(address, minPort); err != nil {
			return Endpoint{}, fmt.Errorf("%s: %w", quote(s), err)
		}
		return e, nil
	case Unix:
		switch {
		case address == "":
			return Endpoint{}, fmt.Errorf("%s has no file name; write unix:PATH", quote(s))
		case len(address) > unixPathSize:
			return Endpoint{}, fmt.Errorf("%s: a socket's file name has at most %d bytes, this has %d", quote(s),
				unixPathSize, len(address))
		case strings.ContainsRune(address, 0):
			return Endpoint{}, fmt.Errorf("%s: a file name has no zero byte; write unix:PATH", quote(s))
		}
		return e, nil
	}
	return Endpoint{}, fmt.Errorf("%s is not an address; write tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH", quote(s))
}

// checkHostPort checks HOST:PORT: an IP (IPv6 in brackets), a DNS name, or nothing for every address.
func checkHostPort(s string, minPort uint64) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%s is not HOST:PORT; write for example 127.0.0.1:6653 or [::1]:6653", quote(s))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < minPort {
		return fmt.Errorf("%s is not a port; use 1 to 65535", quote(port))
	}
	if _, err := netip.ParseAddr(host); err != nil && !isHostname(host) {
		return fmt.Errorf("%s is not an IP address or a host name", quote(host))
	}
	return nil
}

const hostnameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// isHostname accepts names of RFC 1123 and the empty name. Digits and dots only are a mistyped IP address.
func isHostname(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > 253 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, hostnameBytes) != "" {
			return false
		}
	}
	return true
}

// isLoopback reports whether HOST:PORT can be reached from this machine only.
func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
