package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPprofIsLocal: profiles are served to this machine only.
func TestPprofIsLocal(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "6060", ":6060", "0.0.0.0:6060", "192.0.2.1:6060", "localhost:6060",
		"[::]:6060",
	} {
		if l, err := listenPprof(address); err == nil || !strings.Contains(err.Error(), "--pprof") {
			t.Errorf("%q: %v, %v", address, l, err)
		}
	}
}

func TestPprof(t *testing.T) {
	t.Parallel()
	l, err := listenPprof("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- servePprof(ctx, l) }() // ends with ctx
	resp, err := http.Get("http://" + l.Addr().String() + "/debug/pprof/heap?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "heap profile:") {
		t.Errorf("%s, %v: %.100q", resp.Status, err, body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}
