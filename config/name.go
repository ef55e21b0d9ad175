package config

import (
	"net/netip"
	"strings"
	"unicode"

	"github.com/eosin-sdn/eosin/openflow"
)

const maxName = 64

// checkName reports a name that cannot be typed or printed, or that has one of the forbidden characters: those with a
// meaning next to the name, as the colon of SWITCH:PORT, the slash of URLs, and the comma of lists.
func (r *reader) checkName(key value, name, forbidden string) bool {
	switch {
	case name == "":
		r.errorf(key, "the name is empty; write one")
		return false
	case len(name) > maxName:
		r.errorf(key, "the name has %d bytes; use at most %d", len(name), maxName)
		return false
	}
	for _, c := range name {
		if !unicode.IsGraphic(c) || unicode.IsSpace(c) || strings.ContainsRune(forbidden, c) {
			r.errorf(key, "a name has no %q; use letters, digits, \".\", \"_\" and \"-\"", c)
			return false
		}
	}
	return true
}

// checkNodeName checks the name of a host or a switch. Commands accept either, so they share one namespace, and no name
// may look like an address.
func (r *reader) checkNodeName(key value, name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		r.errorf(key, "is an IP address and no name; commands could not tell it from the address; use another name")
		return false
	}
	if _, ok := parseMAC(name); ok {
		r.errorf(key, "is a MAC address and no name; commands could not tell it from the address; use another name")
		return false
	}
	if !r.checkName(key, name, "/:,") {
		return false
	}
	if first, ok := r.names[name]; ok {
		r.errorf(key, "the name is already that of %s (line %d); use another", first.path, first.line)
		return false
	}
	r.names[name] = key
	return true
}

func isDatapathID(name string) bool {
	_, err := openflow.ParseDatapathID(name)
	return err == nil
}
