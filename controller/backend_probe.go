package controller

import (
	"context"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// Probes returns the continuous probes.
func (b *backend) Probes(context.Context) ([]probespec.Status, error) {
	return b.prober.Probes(), nil
}

// Mesh returns the newest verdict of every pair that is probed continuously.
func (b *backend) Mesh(context.Context) ([]probespec.MeshEntry, error) { return b.prober.Mesh(), nil }

// Probe runs one probe.
func (b *backend) Probe(ctx context.Context, req probespec.Request, report func(probespec.Update)) (probespec.Result, error) {
	return b.prober.Probe(ctx, req, report)
}
