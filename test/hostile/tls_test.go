package hostile

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
)

// secure is the controller's TLS listener and who may use it.
type secure struct {
	addr  string
	ca    *pkitest.Authority
	files *pkitest.Files
}

// newSecure makes files with an RSA key, as ovs-pki does: its signatures are what unauthenticated clients can make the
// controller work for.
func newSecure(t *testing.T, address string) *secure {
	t.Helper()
	s := &secure{addr: address, ca: pkitest.New(t, "CA"), files: pkitest.NewFiles(t)}
	s.files.Write(s.ca.IssueRSA("controller", pkitest.Tomorrow()), s.ca)
	return s
}

func (s *secure) config() string { return "openflow: {tls: " + s.files.YAML(true) + "}\n" }

// dialTLS is a peer that shows a certificate, or none.
func (s *suite) dialTLS(t *testing.T, certs ...tls.Certificate) *peer {
	t.Helper()
	nc, err := net.DialTimeout("tcp", s.secure.addr, s.joinWithin)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return &peer{
		t: t, nc: tls.Client(nc, &tls.Config{InsecureSkipVerify: true, Certificates: certs}),
		ready: make(chan struct{}), ended: make(chan struct{}), echo: make(chan []byte, 16),
	}
}

// tlsHandshakes has clients without a certificate make the controller sign as fast as they can, while others stop in
// the middle of their handshake and others again send nonsense in it. A switch with a certificate joins nevertheless,
// and one that is in is answered.
func tlsHandshakes(t *testing.T, s *suite) {
	mine := s.secure.ca.Issue("good", pkitest.Tomorrow())
	in := s.dialTLS(t, mine)
	defer in.close()
	if err := in.join(s.id(), s.joinWithin); err != nil {
		t.Fatalf("before the flood: %v", err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var handshakes atomic.Int64
	again := func(f func(nc net.Conn)) {
		wg.Go(func() { // ends with stop
			for {
				select {
				case <-stop:
					return
				default:
				}
				nc, err := net.DialTimeout("tcp", s.secure.addr, s.joinWithin)
				if err != nil {
					continue
				}
				_ = nc.SetDeadline(time.Now().Add(s.joinWithin))
				f(nc)
			}
		})
	}
	for range 4 {
		again(func(nc net.Conn) {
			if tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake() == nil {
				handshakes.Add(1) // as far as the client can tell: its certificate is missed later
			}
			_ = nc.Close()
		})
	}
	again(func(nc net.Conn) {
		_, _ = nc.Write([]byte{0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff})
		_ = nc.Close()
	})
	open := make(chan net.Conn, 400) // half a hello
	again(func(nc net.Conn) {
		_, _ = nc.Write([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc})
		select {
		case open <- nc:
		case <-stop: // there are as many as may be open
			_ = nc.Close()
		}
	})
	var joined, echoed time.Duration
	for end := time.Now().Add(floodFor); time.Now().Before(end); {
		began := time.Now()
		p := s.dialTLS(t, mine)
		if err := p.join(s.id(), s.joinWithin); err != nil {
			t.Errorf("a good switch did not join over TLS: %v", err)
		}
		p.close()
		joined = max(joined, time.Since(began))
		took, err := in.ping(s.echoWithin)
		if err != nil {
			t.Errorf("the switch that was in: %v", err)
		}
		echoed = max(echoed, took)
		if err := s.healthy(); err != nil {
			t.Errorf("health: %v", err)
		}
	}
	close(stop)
	wg.Wait()
	close(open)
	for nc := range open {
		_ = nc.Close()
	}
	if handshakes.Load() == 0 {
		t.Error("there was no flood")
	}
	t.Logf("%d handshakes of unauthenticated clients; at worst a switch joined in %s, and an echo took %s",
		handshakes.Load(),
		joined.Round(time.Millisecond), echoed.Round(time.Microsecond))
}
