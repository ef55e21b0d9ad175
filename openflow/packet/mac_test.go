package packet

import "testing"

func TestMAC(t *testing.T) {
	m, err := ParseMAC("52:54:00:aB:Cd:09")
	if err != nil || m != (MAC{0x52, 0x54, 0, 0xab, 0xcd, 9}) || m.String() != "52:54:00:ab:cd:09" {
		t.Error(m, err)
	}
	if m.Uint64() != 0x525400abcd09 || MACFromUint64(m.Uint64()) != m || MACFromUint64(0xffff<<48|m.Uint64()) != m {
		t.Errorf("%x", m.Uint64())
	}
	for _, s := range []string{
		"", "52:54:00:ab:cd", "52:54:00:ab:cd:0", "52:54:00:ab:cd:099", "52-54-00-ab-cd-09", "52:54:00:ab:cd-09",
		"525400abcd09",
		"5254.00ab.cd09", "52:54:00:ab:cd:0g", " 2:54:00:ab:cd:09", "52:54:00:ab:cd:+9", "52:54:00:ab:cd:09:0a:0b",
	} {
		if m, err := ParseMAC(s); err == nil {
			t.Errorf("%q passes as %v", s, m)
		}
	}
}

func TestMACKinds(t *testing.T) {
	for _, c := range []struct {
		mac             MAC
		multicast, zero bool
	}{
		{MAC{}, false, true},
		{Broadcast, true, false},
		{MAC{1, 0x80, 0xc2, 0, 0, 0xe}, true, false},
		{MAC{0x33, 0x33, 0, 0, 0, 1}, true, false},
		{mac1, false, false},
	} {
		if c.mac.IsMulticast() != c.multicast || c.mac.IsZero() != c.zero {
			t.Errorf("%v: %v %v", c.mac, c.mac.IsMulticast(), c.mac.IsZero())
		}
	}
}
