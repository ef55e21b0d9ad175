package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// The times after which the controller hangs up, with something to spare.
const (
	spare          = 5 * time.Second
	afterHandshake = 10*time.Second + spare
	afterSilence   = 10*time.Second + spare
	afterReply     = 30*time.Second + spare
)

// garbage is random bytes.
func garbage(t *testing.T, s *suite) {
	r := rand.New(rand.NewPCG(uint64(s.seed), 1))
	for range 200 {
		p := s.dial(t)
		b := make([]byte, r.IntN(8192))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		_ = p.send(b)
		p.close()
	}
	// Zeros have a length of 0.
	p := s.dial(t)
	_ = p.send(make([]byte, 64))
	if err := p.hungUp(s.atOnce); err != nil {
		t.Errorf("zeros: %v", err)
	}
}

// otherProtocols is what strays onto the port.
func otherProtocols(t *testing.T, s *suite) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: eosin\r\nConnection: close\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("A", 506), // the hello of TLS
		"{\"method\":\"echo\",\"id\":\"echo\",\"params\":[]}",                     // OVSDB
		"USER anonymous\r\n", "\x00\x00\x00\x2f\xffSMB", "EHLO x\r\n",
	} {
		p := s.dial(t)
		_ = p.send([]byte(text), make([]byte, 64<<10)) // so much that the length is reached, whatever it is
		if err := p.hungUp(s.atOnce); err != nil {
			t.Errorf("%.12q: %v", text, err)
		}
		p.close()
	}
}

// badLengths are headers whose length cannot be, at every stage, and bodies of every length for every type.
func badLengths(t *testing.T, s *suite) {
	stages := map[string][][]byte{
		"at first":    nil,
		"after hello": {openflow.AppendHello(nil, 1)},
	}
	for stage, before := range stages {
		for n := range openflow.HeaderLen {
			for _, typ := range []openflow.Type{
				openflow.TypeHello, openflow.TypeEchoRequest, openflow.TypePacketIn,
				99,
			} {
				p := s.dial(t)
				_ = p.send(append(before, []byte{4, byte(typ), 0, byte(n), 0, 0, 0, 1})...)
				if err := p.hungUp(s.atOnce); err != nil {
					t.Errorf("length %d of %s %s: %v", n, typ, stage, err)
				}
				p.close()
			}
		}
	}
	for n := range openflow.HeaderLen {
		p := s.mustJoin(t)
		_ = p.send([]byte{4, byte(openflow.TypeEchoRequest), 0, byte(n), 0, 0, 0, 1})
		if err := p.endsWithin(s.atOnce); err != nil {
			t.Errorf("length %d in a session: %v", n, err)
		}
		p.close()
	}
	lengths := func(yield func(int) bool) {
		for n := openflow.HeaderLen; n < 72; n++ {
			if !yield(n) {
				return
			}
		}
		for _, n := range []int{127, 128, 1500, 65528, 65535} {
			if !yield(n) {
				return
			}
		}
	}
	var p *peer
	for name, msg := range everyMessage() {
		for n := range lengths {
			if p == nil || p.send(withLength(msg, n)) != nil { // the last one has ended the session
				p = s.mustJoin(t)
				if err := p.send(withLength(msg, n)); err != nil {
					t.Errorf("%s of %d bytes: %v", name, n, err)
				}
			}
			if _, err := p.ping(s.echoWithin); err != nil {
				if e := p.endsWithin(s.atOnce); e != nil {
					t.Errorf("%s of %d bytes: neither answered nor ended", name, n)
				}
				p.close()
				p = nil
			}
		}
	}
	if p != nil {
		p.close()
	}
}

// slowLoris sends its hello a byte at a time, many times over.
func slowLoris(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	hello := openflow.AppendHello(nil, 1)
	for i := range 400 {
		p := s.dial(t)
		wg.Go(func() { // ends with the hello, or with the connection
			defer p.close()
			next := time.NewTicker(100*time.Millisecond + time.Duration(i%7)*time.Millisecond)
			defer next.Stop()
			for j := range len(hello) - 1 {
				if p.send(hello[j:j+1]) != nil {
					return
				}
				<-next.C
			}
		})
	}
	s.check(t) // while they are at it
	wg.Wait()
}

// halfOpen are connections that say nothing.
func halfOpen(t *testing.T, s *suite) {
	var peers []*peer
	for range 500 {
		peers = append(peers, s.dial(t))
	}
	s.check(t) // beside them
	for _, p := range peers {
		p.reset()
	}
}

// wrongVersions are versions other than 1.3, at every stage.
func wrongVersions(t *testing.T, s *suite) {
	for _, v := range []byte{0, 1, 2, 3, 5, 6, 0x84, 0xff} {
		bare := []byte{v, byte(openflow.TypeHello), 0, 8, 0, 0, 0, 1}
		withBitmap := withVersion(openflow.AppendHello(nil, 1), v)
		for i := 8; i < 16; i++ {
			withBitmap[i] = 0
		}
		withBitmap[9], withBitmap[11], withBitmap[15] = 1, 8, 1<<1 // 1.0 only
		hellos := [][]byte{bare, withBitmap}
		if v > openflow.Version {
			hellos = hellos[1:] // a higher version without a bitmap may speak 1.3
		}
		for i, hello := range hellos {
			p := s.dial(t)
			p.alter = func(msg []byte) []byte {
				if openflow.Type(msg[1]) == openflow.TypeHello {
					return hello
				}
				return msg
			}
			go p.serve(s.id())
			if err := p.endsWithin(s.atOnce); err != nil {
				t.Errorf("hello %d of version %d: %v", i, v, err)
				continue
			}
			var e openflow.Error
			if err := e.Decode(p.last); err != nil || e.Type != openflow.ErrorTypeHelloFailed {
				t.Errorf("hello %d of version %d: answered %x, %v", i, v, p.last, err)
			}
		}
		for _, typ := range []openflow.Type{
			openflow.TypeFeaturesReply, openflow.TypeMultipartReply,
			openflow.TypeRoleReply, openflow.TypeBarrierReply,
		} {
			p := s.dial(t)
			p.alter = func(msg []byte) []byte {
				if openflow.Type(msg[1]) == typ {
					return withVersion(msg, v)
				}
				return msg
			}
			go p.serve(s.id())
			if err := p.endsWithin(s.atOnce); err != nil {
				t.Errorf("%s of version %d: %v", typ, v, err)
			}
		}
		for name, msg := range everyMessage() {
			p := s.mustJoin(t)
			_ = p.send(withVersion(msg, v))
			if err := p.endsWithin(s.atOnce); err != nil {
				t.Errorf("%s of version %d in a session: %v", name, v, err)
			}
			p.close()
		}
	}
}

// wrongOrder is every message where the handshake wants another.
func wrongOrder(t *testing.T, s *suite) {
	may := map[string]bool{
		"echo_request": true, "echo_reply": true, "packet_in": true, "flow_removed": true,
		"port_status": true,
	}
	for name, msg := range everyMessage() {
		if name != "hello" {
			p := s.dial(t)
			_ = p.send(msg)
			if err := p.hungUp(s.atOnce); err != nil {
				t.Errorf("%s at first: %v", name, err)
			}
			p.close()
		}
		if name == "features_reply" {
			continue
		}
		p := s.dial(t)
		_ = p.send(openflow.AppendHello(nil, 1), msg)
		if err := p.hungUp(200 * time.Millisecond); (err != nil) != may[name] {
			t.Errorf("%s after hello: %v", name, err)
		}
		p.close()
	}
	for xid := range uint32(5) {
		p := s.dial(t)
		_ = p.send(openflow.AppendHello(nil, 1), featuresReply(100+xid, s.id()))
		if err := p.hungUp(s.atOnce); err != nil {
			t.Errorf("features reply to another request: %v", err)
		}
		p.close()
	}
	p := s.dial(t)
	p.alter = func(msg []byte) []byte {
		if openflow.Type(msg[1]) == openflow.TypeFeaturesReply {
			msg[21] = 1 // the auxiliary id
		}
		return msg
	}
	go p.serve(s.id())
	if err := p.endsWithin(s.atOnce); err != nil {
		t.Errorf("auxiliary connection: %v", err)
	}
}

// duplicates are peers that claim the datapath id of a connected switch.
func duplicates(t *testing.T, s *suite) {
	const refused = "eosin_openflow_connections_refused_total"
	_, mark := s.log.since(0)
	before := s.metric(t, refused)
	victim := s.dial(t)
	id := s.id()
	if err := victim.join(id, s.joinWithin); err != nil {
		t.Fatal(err)
	}
	var impostors []*peer
	for i := range 50 {
		p := s.dialFrom(t, fmt.Sprintf("127.0.0.%d", 2+i%200))
		go p.serve(id)
		impostors = append(impostors, p)
	}
	for i, p := range impostors {
		if err := p.endsWithin(s.joinWithin); err != nil {
			t.Errorf("impostor %d: %v", i, err)
		}
	}
	if _, err := victim.ping(s.echoWithin); err != nil {
		t.Errorf("the switch that was there first: %v", err)
	}
	victim.close()
	if text := s.log.waitFor(mark, "belongs to the switch connected from"); text != "" {
		t.Errorf("the log does not say why they were refused:\n%s", text)
	}
	if n := s.metric(t, refused) - before; n < float64(len(impostors)) {
		t.Errorf("%v refusals counted, there were %d", n, len(impostors))
	}
}

// stall is a connection that has stopped answering, and when it has to have been ended.
type stall struct {
	name  string
	p     *peer
	began time.Time
	limit time.Duration
	took  chan time.Duration
}

// stalls begins one stall of each kind; stallsEnd looks at the ends.
func stalls(t *testing.T, s *suite) {
	begin := func(name string, limit time.Duration, set func(p *peer)) {
		st := &stall{name: name, p: s.dial(t), began: time.Now(), limit: limit, took: make(chan time.Duration, 1)}
		set(st.p)
		go st.p.serve(s.id())
		go func() { // ends with the connection
			<-st.p.ended
			st.took <- time.Since(st.began)
		}()
		s.stalled = append(s.stalled, st)
	}
	// without leaves messages of a type unsent; cut sends half of one and nothing any more.
	without := func(typ openflow.Type) func(p *peer) {
		return func(p *peer) {
			p.alter = func(msg []byte) []byte {
				if openflow.Type(msg[1]) == typ {
					return nil
				}
				return msg
			}
		}
	}
	cut := func(typ openflow.Type) func(p *peer) {
		return func(p *peer) {
			silent := false
			p.alter = func(msg []byte) []byte {
				if silent {
					return nil
				}
				if openflow.Type(msg[1]) == typ {
					silent = true
					return msg[:len(msg)/2]
				}
				return msg
			}
		}
	}
	begin("no hello", afterHandshake, without(openflow.TypeHello))
	begin("half a hello", afterHandshake, cut(openflow.TypeHello))
	begin("no features", afterHandshake, without(openflow.TypeFeaturesReply))
	begin("half the features", afterHandshake, cut(openflow.TypeFeaturesReply))
	begin("half a multipart reply", afterSilence, cut(openflow.TypeMultipartReply))
	begin("half a barrier reply", afterSilence, cut(openflow.TypeBarrierReply))
	begin("half a bundle reply", afterSilence, cut(openflow.TypeExperimenter))
	begin("no multipart replies", afterReply, without(openflow.TypeMultipartReply))
	begin("no role replies", afterReply, without(openflow.TypeRoleReply))
	begin("half a role reply", afterSilence, cut(openflow.TypeRoleReply))
	begin("no barrier replies", afterReply, without(openflow.TypeBarrierReply))
	begin("no bundle replies", afterReply, without(openflow.TypeExperimenter))
	for _, typ := range multipartTypes {
		if typ == openflow.MultipartPortStats {
			continue // requested only on demand
		}
		begin("no reply to "+openflow.MultipartName(typ), afterReply, func(p *peer) {
			p.answer = func(request []byte) ([]byte, bool) {
				return nil, openflow.Type(request[1]) == openflow.TypeMultipartRequest && request[8] == byte(typ>>8) &&
					request[9] == byte(typ)
			}
		})
	}
	begin("nothing after the first moment", afterSilence, func(p *peer) {
		began := time.Now()
		p.alter = func(msg []byte) []byte {
			if time.Since(began) > time.Second {
				return nil
			}
			return msg
		}
	})
}

// stallsEnd waits for the ends of the stalls.
func stallsEnd(t *testing.T, s *suite) {
	for _, st := range s.stalled {
		select {
		case took := <-st.took:
			// While the limit of pending connections was reached, silent ones were closed earlier.
			if took > st.limit {
				t.Errorf("%s: ended after %s, at most %s are allowed", st.name, took, st.limit)
			}
			t.Logf("%s: ended after %s", st.name, took.Round(100*time.Millisecond))
		case <-time.After(max(time.Until(st.began.Add(st.limit)), 0) + s.atOnce):
			t.Errorf("%s: still connected after %s", st.name, st.limit)
			st.p.close()
		}
	}
}
