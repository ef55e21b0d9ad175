package packet

import "testing"

func TestLLDP(t *testing.T) {
	frame := append(frames()["lldp"], make([]byte, 10)...)
	f, _ := Parse(frame)
	l, ok := ParseLLDP(f.Payload())
	if !ok || f.Dst() != LLDPMulticast {
		t.Fatal("does not parse")
	}
	if subtype, id := l.ChassisID(); subtype != 4 || MAC(id) != mac1 {
		t.Error(subtype, id)
	}
	if subtype, id := l.PortID(); subtype != 7 || string(id) != "port 1" {
		t.Error(subtype, id)
	}
	if l.TTL() != 120 {
		t.Error(l.TTL())
	}
	var types []uint8
	for rest := l; ; {
		var v TLV
		if v, rest, ok = rest.Next(); !ok {
			break
		}
		types = append(types, v.Type)
		oui, subtype, info, isOrg := v.Org()
		if isOrg != (v.Type == LLDPOrg) {
			t.Errorf("type %d: %v", v.Type, isOrg)
		}
		if isOrg && (oui != [3]byte{0x26, 0xe1, 0} || subtype != 5 || len(info) != 300) {
			t.Error(oui, subtype, len(info))
		}
	}
	if string(types) != "\x01\x02\x03\x05\x7f" {
		t.Error(types)
	}
}

func TestLLDPRejects(t *testing.T) {
	const chassis, port, ttl, end = "0207 04 020000000001 ", "0402 07 31 ", "0602 0078 ", "0000"
	for name, c := range map[string]struct {
		hex string
		ok  bool
	}{
		"least":              {chassis + port + ttl + end, true},
		"padding":            {chassis + port + ttl + end + "ffffff", true},
		"no end":             {chassis + port + ttl, false},
		"half an end":        {chassis + port + ttl + "00", false},
		"end with a value":   {chassis + port + ttl + "0001 00", false},
		"end too early":      {chassis + port + end, false},
		"only an end":        {end, false},
		"empty":              {"", false},
		"no chassis":         {port + ttl + end, false},
		"other order":        {port + chassis + ttl + end, false},
		"ttl second":         {chassis + ttl + port + end, false},
		"two chassis":        {chassis + chassis + port + ttl + end, false},
		"chassis later":      {chassis + port + ttl + chassis + end, false},
		"ttl twice":          {chassis + port + ttl + ttl + end, false},
		"ttl of one byte":    {chassis + port + "0601 00" + end, false},
		"chassis without id": {"0201 04 " + port + ttl + end, false},
		"beyond":             {chassis + port + ttl + "0a05 31323334", false},
		"organisation":       {chassis + port + ttl + "fe04 0026e100" + end, true},
		"short organisation": {chassis + port + ttl + "fe03 0026e1" + end, false},
		"empty name":         {chassis + port + ttl + "0a00" + end, true},
	} {
		if _, ok := ParseLLDP(unhex(t, c.hex)); ok != c.ok {
			t.Errorf("%s: parses %v, want %v", name, ok, c.ok)
		}
	}
}
