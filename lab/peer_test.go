package lab

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// A peer is the least that a bridge takes for a controller: it says hello, asks for features and answers echoes.
type peer struct {
	mu    sync.Mutex
	dpids map[uint64]bool
}

func newPeer(t *testing.T, l *Lab) *peer {
	p := &peer{dpids: map[uint64]bool{}}
	var wait sync.WaitGroup
	var mu sync.Mutex
	open := map[io.Closer]bool{}
	ended := false
	keep := func(c io.Closer) bool {
		mu.Lock()
		defer mu.Unlock()
		open[c] = true
		return !ended
	}
	for _, target := range []string{l.ControllerTarget(), "unix:" + l.ControllerSocket()} {
		network, address, _ := strings.Cut(target, ":")
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		keep(listener)
		// Ends when the cleanup below closes the listener and the connections.
		wait.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				if !keep(conn) {
					conn.Close()
					return
				}
				wait.Go(func() { p.serve(conn) })
			}
		})
	}
	t.Cleanup(func() {
		mu.Lock()
		ended = true
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	return p
}

func (p *peer) serve(conn net.Conn) {
	defer conn.Close()
	conn.Write([]byte{4, 0, 0, 8, 0, 0, 0, 1})
	conn.Write([]byte{4, 5, 0, 8, 0, 0, 0, 2})
	header := make([]byte, 8)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		body := make([]byte, int(binary.BigEndian.Uint16(header[2:]))-8)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		switch header[1] {
		case 2: // echo request
			header[1] = 3
			conn.Write(append(header, body...))
		case 6: // features reply
			p.mu.Lock()
			p.dpids[binary.BigEndian.Uint64(body)] = true
			p.mu.Unlock()
		}
	}
}

func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.dpids)
}

func (p *peer) seen(dpid uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dpids[dpid]
}
