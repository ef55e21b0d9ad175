package openflow

import (
	"fmt"
	"strconv"
	"strings"
)

// DatapathID names a switch (spec 7.3.1). The lower 48 bits are usually a MAC address of the switch.
type DatapathID uint64

// String returns 16 hex digits, as ovs-vsctl prints a datapath_id.
func (d DatapathID) String() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[d>>(60-4*i)&0xf]
	}
	return string(b[:])
}

// ParseDatapathID reads 16 hex digits of either case, with or without a leading 0x.
func ParseDatapathID(s string) (DatapathID, error) {
	digits := s
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		digits = rest
	}
	if len(digits) != 16 {
		return 0, fmt.Errorf("datapath id %q: want 16 hex digits", s)
	}
	// ParseUint takes neither sign nor underscore with an explicit base, so only hex digits pass.
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("datapath id %q: want 16 hex digits", s)
	}
	return DatapathID(v), nil
}
