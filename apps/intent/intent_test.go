package intent

import "testing"

func TestTrapNames(t *testing.T) {
	for _, trap := range []Trap{TrapAuto, TrapConntrack, TrapDSCP} {
		if got, ok := ParseTrap(trap.String()); !ok || got != trap {
			t.Errorf("%s: got %v, %v", trap, got, ok)
		}
	}
	for _, s := range []string{"", "Auto", "ct"} {
		if got, ok := ParseTrap(s); ok {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestPortEqual(t *testing.T) {
	p := Port{Mode: Access, VLANs: []uint16{1}, Native: 1, Source: SourceFile}
	if same := (Port{Mode: Access, VLANs: []uint16{1}, Native: 1, Source: SourceFile}); !p.Equal(same) {
		t.Error("equal ports differ")
	}
	for what, change := range map[string]func(*Port){
		"mode":          func(p *Port) { p.Mode = Trunk },
		"VLANs":         func(p *Port) { p.VLANs = []uint16{2} },
		"all":           func(p *Port) { p.All = true },
		"native":        func(p *Port) { p.Native = 2 },
		"native tagged": func(p *Port) { p.NativeTagged = true },
		"source":        func(p *Port) { p.Source = SourceDefault },
		"reason":        func(p *Port) { p.Reason = "x" },
	} {
		other := p
		change(&other)
		if p.Equal(other) {
			t.Errorf("%s makes no difference", what)
		}
	}
}

func TestModeNames(t *testing.T) {
	for m, want := range map[Mode]string{Closed: "closed", Access: "access", Trunk: "trunk", Tunnel: "tunnel"} {
		if m.String() != want {
			t.Errorf("got %s, want %s", m, want)
		}
	}
}
