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

// withPprof runs f, and serves profiles meanwhile if an address was asked for.
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

// listenPprof opens the listener for profiles, which only this machine may reach: they tell a lot, and taking one costs time.
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

// servePprof serves what "go tool pprof http://ADDRESS/debug/pprof/profile" asks for, until ctx ends.
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
