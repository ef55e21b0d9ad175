package config

import (
	"math"
	"time"
)

// maxIdle is the largest idle_timeout of a flow (OpenFlow 1.3, section 7.3.4.1: 16 bits of seconds).
const maxIdle = math.MaxUint16 * time.Second

func (r *reader) learning(c *Config, v value) {
	timeout := r.object(v, "timeout")["timeout"]
	r.duration(timeout, &c.Settings.HostTimeout, time.Second, maxIdle)
	if d := c.Settings.HostTimeout; d%time.Second != 0 {
		r.errorf(timeout, "%s is not in whole seconds, which is what switches count in; write %s", d,
			d.Round(time.Second))
	}
}

func (r *reader) audit(c *Config, v value) {
	r.duration(r.object(v, "interval")["interval"], &c.Audit.Interval, time.Second, 24*time.Hour)
}

func (r *reader) limits(c *Config, v value) {
	fields := []struct {
		key   string
		limit *int
		high  int64
	}{
		{"hosts_per_port", &c.Settings.HostsPerPort, 1_000_000},
		{"hosts_per_switch", &c.Settings.HostsPerSwitch, 1_000_000},
		{"packet_ins_per_second", &c.Settings.PacketIns, 10_000_000},
		{"moves", &c.Settings.Moves, 1_000_000},
		{"probes_per_second", &c.Settings.Probes, 1_000_000},
	}
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		known = append(known, f.key)
	}
	o := r.object(v, known...)
	for _, f := range fields {
		integer(r, o[f.key], f.limit, 0, f.high, "a limit (0 is unlimited)")
	}
}
