package hostile

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// truncated is every message cut at every byte: with the header's length as it was cut, and with the connection cut
// there.
func truncated(t *testing.T, s *suite) {
	var p *peer
	alive := func() bool {
		if p == nil {
			return false
		}
		select {
		case <-p.ended:
			return false
		default:
			return true
		}
	}
	for name, msg := range everyMessage() {
		for n := openflow.HeaderLen; n < len(msg); n++ {
			if !alive() {
				p = s.mustJoin(t)
			}
			if err := p.send(withLength(msg[:n], n)); err != nil {
				continue // it has just ended because of the one before
			}
			if _, err := p.ping(s.echoWithin); err != nil && p.endsWithin(s.atOnce) != nil {
				t.Errorf("%s cut to %d bytes: neither answered nor ended", name, n)
			}
		}
		for n := 1; n < len(msg); n += 7 {
			if !alive() {
				p = s.mustJoin(t)
			}
			_ = p.send(msg[:n])
			p.close()
			<-p.ended
		}
	}
	if alive() {
		p.close()
	}
	// Replies that are asked for, at the place where they are asked for.
	for _, typ := range multipartTypes {
		if typ == openflow.MultipartPortStats {
			continue
		}
		body := multipartBody(typ, true)
		for n := range len(body) {
			p := s.dial(t)
			p.answer = func(request []byte) ([]byte, bool) {
				if openflow.Type(request[1]) != openflow.TypeMultipartRequest ||
					binary.BigEndian.Uint16(request[8:]) != typ {
					return nil, false
				}
				return openflow.AppendMultipartReply(nil, binary.BigEndian.Uint32(request[4:]), typ, false, body[:n]),
					true
			}
			go p.serve(s.id())
			select {
			case <-p.ended:
			case <-p.ready: // a whole number of entries
			case <-time.After(s.joinWithin):
				t.Errorf("%s cut to %d bytes: neither accepted nor ended", openflow.MultipartName(typ), n)
			}
			p.close()
		}
	}
}

// oxmBombs are matches that are hard to read.
func oxmBombs(t *testing.T, s *suite) {
	// packet_in: header, buffer, length, reason, table, cookie; then the match.
	wrap := func(match []byte) []byte {
		b := packetIn(learnCookie, 1, nil)[:24]
		b = append(b, match...)
		b = append(b, make([]byte, (8-len(match)%8)%8+2)...)
		b = append(b, hostFrame(0x525400000077)...)
		if len(b) > openflow.MaxLen {
			b = b[:openflow.MaxLen]
		}
		return withLength(b, len(b))
	}
	match := func(length int, oxm []byte) []byte {
		return append([]byte{0, 1, byte(length >> 8), byte(length)}, oxm...)
	}
	repeat := func(tlv []byte, n int) (b []byte) {
		for range n {
			b = append(b, tlv...)
		}
		return b
	}
	inPort := []byte{0x80, 0, 0, 4, 0, 0, 0, 1}
	bombs := map[string][]byte{
		"the same field 8,000 times": match(4+8*8000, repeat(inPort, 8000)),
		"empty fields":               match(4+4*16000, repeat([]byte{0x80, 0, 0, 0}, 16000)),
		"fields of 255 bytes": match(4+259*250, repeat(append([]byte{0x80, 0, 0, 255}, make([]byte, 255)...),
			250)),
		"masked in port":               match(4+12, []byte{0x80, 0, 1, 8, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}),
		"masked with an odd length":    match(4+7, []byte{0x80, 0, 9, 3, 1, 2, 3}),
		"unknown class":                match(4+8, []byte{0x12, 0x34, 0, 4, 0, 0, 0, 1}),
		"experimenter class":           match(4+8, []byte{0xff, 0xff, 0, 4, 0, 0, 0x23, 0x20}),
		"experimenter cut":             match(4+6, []byte{0xff, 0xff, 0, 2, 0, 0}),
		"length beyond the message":    match(65535, inPort),
		"length of a field beyond":     match(4+8, []byte{0x80, 0, 0, 200, 0, 0, 0, 1}),
		"length 0":                     match(0, inPort),
		"length 3":                     match(3, inPort),
		"header of a field cut":        match(4+2, []byte{0x80, 0}),
		"type standard":                append([]byte{0, 0, 0, 88}, make([]byte, 84)...),
		"type unknown":                 append([]byte{0xff, 0xff, 0, 12}, inPort...),
		"every field of every class 0": match(4+128*5, everyField(0x0000)),
		"every basic field":            match(4+128*5, everyField(0x8000)),
		"every Nicira field":           match(4+128*5, everyField(0x0001)),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for name, b := range bombs {
		for kind, msg := range map[string][]byte{
			"packet_in": wrap(b), "flow_removed": flowRemovedWith(b), "multipart": flowStatsWith(b),
		} {
			p := s.mustJoin(t)
			_ = p.send(msg)
			if _, err := p.ping(s.echoWithin); err != nil && p.endsWithin(s.atOnce) != nil {
				t.Errorf("%s in %s: neither answered nor ended", name, kind)
			}
			p.close()
		}
		// The same in the dump that is asked for.
		p := s.dial(t)
		p.answer = func(request []byte) ([]byte, bool) {
			if openflow.Type(request[1]) != openflow.TypeMultipartRequest ||
				binary.BigEndian.Uint16(request[8:]) != openflow.MultipartFlow {
				return nil, false
			}
			msg := flowStatsWith(b)
			copy(msg[4:8], request[4:8])
			return msg, true
		}
		go p.serve(s.id())
		wg.Go(func() { // ends within joinWithin
			defer p.close()
			select {
			case <-p.ended:
			case <-p.ready: // flows from before: that takes a moment
			case <-time.After(s.joinWithin):
				t.Errorf("%s in a dump: neither accepted nor ended", name)
			}
		})
	}
}

// everyField is one byte of each field of a class.
func everyField(class uint16) (b []byte) {
	for f := range 128 {
		b = append(b, byte(class>>8), byte(class), byte(f<<1), 1, 7)
	}
	return b
}

// padded fills a match up to a multiple of 8 bytes, as far as a message can be that long.
func padded(b []byte, room int) []byte {
	b = append(append([]byte(nil), b...), make([]byte, (8-len(b)%8)%8)...)
	return b[:min(len(b), room)]
}

func flowRemovedWith(match []byte) []byte {
	b := openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{Cookie: learnCookie})[:48]
	b = append(b, padded(match, openflow.MaxLen-48)...)
	return withLength(b, len(b))
}

func flowStatsWith(match []byte) []byte {
	entry := openflow.AppendFlowStats(nil, &openflow.FlowStats{Cookie: learnCookie})[:48]
	entry = append(entry, padded(match, openflow.MaxLen-64)...)
	binary.BigEndian.PutUint16(entry, uint16(len(entry)))
	return openflow.AppendMultipartReply(nil, 9, openflow.MultipartFlow, false, entry)
}

// multipartWithoutEnd is a reply whose last part never comes, empty or full.
func multipartWithoutEnd(t *testing.T, s *suite) {
	for _, typ := range multipartTypes {
		if typ == openflow.MultipartPortStats {
			continue
		}
		for _, full := range []bool{false, true} {
			name := openflow.MultipartName(typ)
			p := s.dial(t)
			asked := make(chan uint32, 1)
			p.answer = func(request []byte) ([]byte, bool) {
				if openflow.Type(request[1]) != openflow.TypeMultipartRequest ||
					binary.BigEndian.Uint16(request[8:]) != typ {
					return nil, false
				}
				select {
				case asked <- binary.BigEndian.Uint32(request[4:]):
				default:
				}
				return nil, true
			}
			go p.serve(s.id())
			var xid uint32
			select {
			case xid = <-asked:
			case <-time.After(s.joinWithin):
				t.Fatalf("no request for %s", name)
			}
			var body []byte
			entry := multipartBody(typ, true)
			for n := uint64(0); full && len(body)+len(entry) < openflow.MaxLen-16; n++ {
				if typ == openflow.MultipartDesc && n > 0 {
					break
				}
				body = append(body, entry...)
			}
			if typ == openflow.MultipartDesc {
				body = entry
			}
			part := openflow.AppendMultipartReply(nil, xid, typ, true, body)
			parts := 0
			for ; parts < 20_000 && p.send(part) == nil; parts++ {
			}
			if err := p.endsWithin(s.joinWithin); err != nil {
				t.Errorf("%s, full %v: %d parts: %v", name, full, parts, err)
			}
			p.close()
		}
	}
}

// dumpBomb says that the switch is full of flows that this controller once installed, all different.
func dumpBomb(t *testing.T, s *suite) {
	for _, end := range []bool{false, true} {
		p := s.dial(t)
		p.answer = func(request []byte) ([]byte, bool) {
			if openflow.Type(request[1]) != openflow.TypeMultipartRequest ||
				binary.BigEndian.Uint16(request[8:]) != openflow.MultipartFlow {
				return nil, false
			}
			xid := binary.BigEndian.Uint32(request[4:])
			for mac, parts := uint64(0x5254_2000_0000), 0; parts < 1200; parts++ {
				var body []byte
				for len(body) < 64_000 {
					mac++
					body = hostFlow(body, mac)
				}
				if p.send(openflow.AppendMultipartReply(nil, xid, openflow.MultipartFlow, !end || parts < 150,
					body)) != nil {
					return nil, true
				}
				if end && parts == 150 {
					break
				}
			}
			return nil, true
		}
		go p.serve(s.id())
		select {
		case <-p.ended:
			if end {
				t.Errorf("a dump of many flows ended the session: %v", p.err)
			}
		case <-time.After(10 * s.joinWithin):
			t.Errorf("a dump (with an end: %v) was neither accepted nor ended", end)
		case <-p.ready:
			if !end {
				t.Error("a dump without end was accepted")
			}
		}
		p.close()
		<-p.ended
	}
}

// unsolicited sends every reply without a request, many times. None of them may end a session or change anything.
func unsolicited(t *testing.T, s *suite) {
	for name, msg := range everyMessage() {
		p := s.mustJoin(t)
		var many []byte
		for i := range uint32(1000) {
			m := append([]byte(nil), msg...)
			binary.BigEndian.PutUint32(m[4:], 0xdead0000+i)
			many = append(many, m...)
		}
		_ = p.send(many)
		if _, err := p.ping(s.echoWithin); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.close()
	}
	for _, msg := range [][]byte{
		openflow.AppendFeaturesRequest(nil, 1), openflow.AppendBarrierRequest(nil, 1),
		openflow.AppendSetConfig(nil, 1, 0, 0),
		openflow.AppendRoleRequest(nil, 1, openflow.RoleMaster, 1), openflow.AppendDescRequest(nil, 1),
		openflow.AppendPacketOut(nil, 1, 1, nil, nil),
		{4, 30, 0, 8, 0, 0, 0, 1},
		{4, 255, 0, 8, 0, 0, 0, 1},
	} {
		p := s.mustJoin(t)
		_ = p.send(msg)
		if err := p.endsWithin(s.atOnce); err != nil {
			t.Errorf("type %d from a switch: %v", msg[1], err)
		}
		p.close()
	}
}

// forgedHellos are discovery frames of every wrong kind: none may make a link.
func forgedHellos(t *testing.T, s *suite) {
	p := s.mustJoin(t)
	defer p.close()
	cookie := flow.Cookie(apps.OwnerDiscovery, 0)
	lldp := func(body []byte) []byte {
		return append(packet.AppendEthernet(nil, packet.MAC{1, 0x80, 0xc2, 0, 0, 0xe},
			packet.MAC{2, 0xe0, 0x51, 0x11, 0xd0, 1}, packet.EtherTypeLLDP), body...)
	}
	// Chassis id, port id and TTL (IEEE 802.1AB section 8.5), then an organizationally specific TLV of 64 bytes.
	id := slices.Concat([]byte{1 << 1, 17, 7}, []byte("000000000000600d"), []byte{2 << 1, 2, 7, '1', 3 << 1, 2, 0, 120})
	org := append([]byte{127 << 1, 68, 0, 0x26, 0xe1, 0}, make([]byte, 64)...)
	for _, body := range [][]byte{
		nil,
		{0xff},
		{0xff, 0xff},
		id, slices.Concat(id, []byte{0, 0}),
		slices.Concat(id, org), make([]byte, 1500),
	} {
		for range 200 {
			_ = p.send(packetIn(cookie, 1, lldp(body)))
		}
	}
	if _, err := p.ping(s.echoWithin); err != nil {
		t.Error(err)
	}
	if links, err := s.get("/api/v1/links"); err != nil || strings.TrimSpace(links) != "[]" {
		t.Errorf("links %s, %v", links, err)
	}
}
