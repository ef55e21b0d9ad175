package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
)

// withPprof runs f and meanwhile serves profiles if an address was given.
func withPprof(ctx context.Context, address string, log *logrus.Logger, f func(context.Context) error) error {
	if address == "" {
		return f(ctx)
	}
	l, err := listenPprof(address)
	if err != nil {
		return err
	}
	log.Infof("profiles on http://%s/debug/pprof/", l.Addr())
	g, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	g.Go(func() error { return servePprof(ctx, l) }) // ends with ctx, and so with f
	g.Go(func() error {                              // ends with ctx
		defer cancel()
		return f(ctx)
	})
	return g.Wait()
}

// listenPprof opens the listener for profiles. It must be a loopback one: profiles disclose a lot and cost CPU time.
func listenPprof(address string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, usageErrorf("--pprof must be a loopback ADDRESS:PORT, as 127.0.0.1:6060, is %q", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--pprof %s: %w", address, err)
	}
	return l, nil
}

// servePprof serves /debug/pprof/ until ctx ends.
func servePprof(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
