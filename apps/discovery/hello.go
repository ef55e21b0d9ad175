package discovery

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Addresses of hellos: to the nearest-bridge group, which no bridge forwards, from a locally administered address.
var (
	helloDst     = packet.MAC{0x01, 0x80, 0xc2, 0, 0, 0x0e}
	helloSrc     = packet.MAC{0x02, 0xe0, 0x51, 0x11, 0xd0, 0x00}
	helloSrcMask = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0x00}
)

// maxAge is the maximum age of a received hello.
const maxAge = 5 * time.Second

// Hello is the content of a discovery frame.
type Hello struct {
	From topology.PortRef
	Seq  uint64
	Sent time.Time
}

// LLDP TLV types (IEEE 802.1AB table 8-1).
const (
	tlvEnd     = 0
	tlvChassis = 1
	tlvPort    = 2
	tlvTTL     = 3
	tlvOrg     = 127

	idLocal = 7 // locally assigned id
	macLen  = 16
)

// The organizationally specific TLV: OUI, subtype, sequence number, sending time (nanoseconds since Signer.start),
// HMAC.
var orgPrefix = [4]byte{0x02, 0xe0, 0x51, 1}

const (
	orgLen    = len(orgPrefix) + 8 + 8 + macLen
	helloSize = 14 + 2 + 9 + 2 + 5 + 2 + 2 + 2 + orgLen + 2
)

// Signer signs and verifies hellos with a random key of this process.
type Signer struct {
	key   [32]byte
	start time.Time
}

// NewSigner returns a signer with a random key. start is the epoch of the times in its hellos.
func NewSigner(start time.Time) *Signer {
	s := &Signer{start: start}
	_, _ = rand.Read(s.key[:]) // never fails (crypto/rand)
	return s
}

func (s *Signer) mac() hash.Hash { return hmac.New(sha256.New, s.key[:]) }

// Append appends the frame of a hello.
func (s *Signer) Append(b []byte, h Hello) []byte {
	at := len(b)
	b = append(b, helloDst[:]...)
	b = append(b, helloSrc[:]...)
	b = binary.BigEndian.AppendUint16(b, packet.EtherTypeLLDP)
	b = append(b, tlvChassis<<1, 9, idLocal)
	b = binary.BigEndian.AppendUint64(b, uint64(h.From.Switch))
	b = append(b, tlvPort<<1, 5, idLocal)
	b = binary.BigEndian.AppendUint32(b, uint32(h.From.Port))
	b = append(b, tlvTTL<<1, 2, 0, 10)
	b = append(b, tlvOrg<<1, byte(orgLen))
	b = append(b, orgPrefix[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Sent.Sub(s.start)))
	m := s.mac()
	m.Write(b[at:])
	b = append(b, m.Sum(nil)[:macLen]...)
	return append(b, tlvEnd, 0)
}

// Verify decodes a hello of this signer. Except for padding, the frame must have exactly the form that Append gives it.
func (s *Signer) Verify(now time.Time, frame []byte) (Hello, Drop, bool) {
	const signed = helloSize - 2 - macLen
	if len(frame) < helloSize || [4]byte(frame[helloSize-2-orgLen:]) != orgPrefix {
		return Hello{}, DropForeign, false
	}
	m := s.mac()
	m.Write(frame[:signed])
	if !hmac.Equal(m.Sum(nil)[:macLen], frame[signed:signed+macLen]) {
		return Hello{}, DropForged, false
	}
	h := Hello{
		From: topology.PortRef{
			Switch: openflow.DatapathID(binary.BigEndian.Uint64(frame[17:])),
			Port:   openflow.PortNo(binary.BigEndian.Uint32(frame[28:])),
		},
		Seq:  binary.BigEndian.Uint64(frame[signed-16:]),
		Sent: s.start.Add(time.Duration(binary.BigEndian.Uint64(frame[signed-8:]))),
	}
	if age := now.Sub(h.Sent); age > maxAge || age < -time.Second {
		return Hello{}, DropStale, false
	}
	return h, 0, true
}
