package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// FuzzParse checks that no file is answered with a panic, that every error has a line of the file and one line of text,
// and that what is accepted keeps its promises.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/example.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(portsFile))
	for _, s := range []string{
		"", "!", "&a", "a: &a [*a]", "<<: *a", "? a\n: b\n", "a: |\n b", "\xef\xbb\xbf",
		"{a: [b:c, d::e]}", "%YAML",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 || c != nil {
				t.Fatalf("config %v with error %v", c, err)
			}
			checkFindings(t, data, errs)
			return
		}
		checkFindings(t, data, c.Warnings)
		checkInvariants(t, c)
		again, err := Parse("f", data)
		if err != nil || !again.Equal(c) {
			t.Fatalf("a second reading differs: %v", err)
		}
	})
}

func checkFindings(t *testing.T, data []byte, errs Errors) {
	t.Helper()
	// A carriage return alone ends a line, too, for the YAML library.
	lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1
	for i, e := range errs {
		if e.File != "f" || e.Line < 1 || e.Line > lines || e.Message == "" || strings.ContainsAny(e.Message, "\r\n") {
			t.Errorf("finding %+v in a file of %d lines", e, lines)
		}
		if i > 0 && e.Line < errs[i-1].Line {
			t.Errorf("line %d after line %d", e.Line, errs[i-1].Line)
		}
	}
}

func checkInvariants(t *testing.T, c *Config) {
	t.Helper()
	for i, n := range c.Networks {
		if n.VLAN < 1 || n.VLAN > maxVLAN || n.VNI > maxVNI || i > 0 && n.VLAN <= c.Networks[i-1].VLAN {
			t.Errorf("networks %+v", c.Networks)
		}
		if n.Gateway.IsValid() && !n.Subnet.Contains(n.Gateway) {
			t.Errorf("gateway of %+v", n)
		}
	}
	for i, sw := range c.Switches {
		if sw.DatapathID == 0 || i > 0 && sw.DatapathID <= c.Switches[i-1].DatapathID {
			t.Errorf("switches %+v", c.Switches)
		}
		for name := range sw.Ports {
			mode := c.ResolvePort(sw.DatapathID, name, 0)
			if mode.Source != intent.SourceFile || !slices.IsSorted(mode.VLANs) {
				t.Errorf("port %s resolves to %+v", name, mode)
			}
			if mode.Mode == intent.Access && len(mode.VLANs) != 1 || mode.Mode == intent.Trunk && len(mode.VLANs) == 0 {
				t.Errorf("port %s resolves to %+v", name, mode)
			}
			if mode.Native != 0 && !slices.Contains(mode.VLANs, mode.Native) {
				t.Errorf("native of %s: %+v", name, mode)
			}
		}
	}
	for _, h := range c.Hosts {
		if h.MAC.IsZero() && len(h.IPs) == 0 || h.MAC[0]&1 != 0 {
			t.Errorf("host %+v", h)
		}
	}
	for _, p := range c.Probes {
		if p.Interval < probespec.MinRoundInterval || p.Timeout <= 0 || p.Count < 1 || p.Name == "" {
			t.Errorf("probe %+v", p)
		}
	}
}
