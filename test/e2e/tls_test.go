package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/test/lab"
)

// A pki is a pair of certificate authorities as ovs-pki makes them, with signed certificates.
type pki struct {
	t   *testing.T
	dir string
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{t, t.TempDir()}
	p.run("init")
	return p
}

func (p *pki) run(args ...string) {
	p.t.Helper()
	cmd := exec.Command("ovs-pki", append([]string{"--dir=" + filepath.Join(p.dir, "pki"), "--log=" + filepath.Join(p.dir, "log"), "--force"}, args...)...)
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("ovs-pki %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// sign makes NAME-privkey.pem and NAME-cert.pem, signed by the authority of controllers or of switches.
func (p *pki) sign(name, kind string) { p.t.Helper(); p.run("req+sign", name, kind) }

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

// use gives a host a key, a certificate and the authority of controllers.
func (p *pki) use(h *lab.Host, name string, authority *pki) {
	h.Vsctl("set-ssl", p.file(name+"-privkey.pem"), p.file(name+"-cert.pem"), authority.file("pki/controllerca/cacert.pem"))
}

// TestTLS: bridges connect over TLS with keys made by ovs-pki, both sides showing certificates. The right authority joins, another
// one and no certificate at all are refused with a reason, and a datapath id may be bound to a certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	good, other := newPKI(t), newPKI(t)
	good.sign("ctl", "controller")
	good.sign("sw", "switch")
	other.sign("stranger", "switch")

	l := lab.Start(t)
	target := "ssl:" + l.ControllerIP() + ":6654"
	config := "openflow:\n  tls: {cert: " + good.file("ctl-cert.pem") + ", key: " + good.file("ctl-privkey.pem") + ", ca: " + good.file("pki/switchca/cacert.pem") + "}\n" +
		"switches:\n  bound: {datapath_id: \"0000000000000003\", certificate: somebody else}\n"
	s := &site{Lab: l, t: t, ctl: l.StartController(program, config, "--openflow-listen", target)}

	h1, h2, h3 := l.AddHost("host1"), l.AddHost("host2"), l.AddHost("host3")
	good.use(h1, "sw", good)
	br := h1.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitConnected(br)
	s.reachAll(s.vm(br, "vm1"), s.vm(br, "vm2"))
	if r := s.ctl.Eosin("get", "switches"); !strings.Contains(r.Stdout, "ssl:") {
		t.Errorf("address without ssl: %v", r)
	}

	other.use(h2, "stranger", good) // signed by an authority that the controller does not know
	stranger := h2.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitLog(patience, "refused", "certificate signed by unknown authority")
	if s.isConnected(stranger) {
		t.Error("a switch with a certificate of another authority joined")
	}

	good.use(h3, "sw", good)
	bound := h3.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitLog(patience, "is bound to the certificate", "somebody else")
	if s.isConnected(bound) {
		t.Error("a switch joined with the datapath id of another certificate")
	}
	if !s.isConnected(br) {
		t.Error("the good switch was lost")
	}
}
