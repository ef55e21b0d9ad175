package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
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
	cmd := exec.Command("ovs-pki",
		append([]string{"--dir=" + filepath.Join(p.dir, "pki"), "--log=" + filepath.Join(p.dir, "log"), "--force"},
			args...)...)
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
	h.Vsctl("set-ssl", p.file(name+"-privkey.pem"), p.file(name+"-cert.pem"),
		authority.file("pki/controllerca/cacert.pem"))
}

// expired makes NAME-privkey.pem and NAME-cert.pem for a switch, whose time was over long ago.
func (p *pki) expired(name string) {
	p.t.Helper()
	p.run("req", name)
	cmd := exec.Command("openssl", "ca", "-config", "ca.cnf", "-batch", "-notext", "-extensions", "usr_cert",
		"-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-in", p.file(name+"-req.pem"), "-out",
		p.file(name+"-cert.pem"))
	cmd.Dir = p.file("pki/switchca")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("openssl ca: %v\n%s", err, out)
	}
}

// replace puts files in the place of others, each with one rename, as good tools do.
func (p *pki) replace(from *pki, names ...string) {
	p.t.Helper()
	for _, pair := range names {
		old, next, _ := strings.Cut(pair, "=")
		text, err := os.ReadFile(from.file(next))
		if err != nil {
			p.t.Fatal(err)
		}
		p.put(old, text)
	}
}

func (p *pki) put(name string, text []byte) {
	p.t.Helper()
	path := p.file(name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		p.t.Fatal(err)
	}
}

// cert reads a certificate.
func (p *pki) cert(name string) *x509.Certificate {
	p.t.Helper()
	block, _ := pem.Decode(p.read(name))
	if block == nil {
		p.t.Fatalf("%s holds no certificate", name)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *pki) serial(name string) string { return fmt.Sprintf("%X", p.cert(name).SerialNumber) }

// client is the openssl client with a certificate of a switch, or without one.
func (p *pki) client(address, name string, more ...string) []string {
	args := []string{"openssl", "s_client", "-connect", address, "-CAfile", p.file("pki/controllerca/cacert.pem")}
	if name != "" {
		args = append(args, "-cert", p.file(name+"-cert.pem"), "-key", p.file(name+"-privkey.pem"))
	}
	return append(args, more...)
}

var shownSerial = regexp.MustCompile(`(?m)^serial=([0-9A-F]+)$`)

// shows is the serial number of the certificate that is shown at an address to a new connection.
func (p *pki) shows(address, name string) string {
	p.t.Helper()
	out, _ := run(p.t, p.client(address, name, "-showcerts")...)
	path := filepath.Join(p.t.TempDir(), "shown.pem")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		p.t.Fatal(err)
	}
	text, exit := run(p.t, "openssl", "x509", "-in", path, "-noout", "-serial")
	m := shownSerial.FindStringSubmatch(text)
	if exit != 0 || m == nil {
		p.t.Fatalf("no certificate at %s: %s\n%s", address, text, out)
	}
	return strings.TrimLeft(m[1], "0")
}

// session is what "eosin get switches" says of a bridge.
func (s *site) session(br *lab.Bridge) api.Switch {
	s.t.Helper()
	for _, o := range get[api.Switch](s, "switches") {
		if o.DatapathID == br.DatapathID() {
			return o
		}
	}
	s.t.Fatalf("eosin get switches does not list %s", br)
	return api.Switch{}
}

// ssl makes a site whose controller listens with the files of a pki.
func sslSite(t *testing.T, p *pki, more string) (s *site, target string) {
	t.Helper()
	l := lab.Start(t)
	target = "ssl:" + l.ControllerIP() + ":6654"
	config := "openflow:\n  tls: {cert: " + p.file("ctl-cert.pem") + ", key: " + p.file("ctl-privkey.pem") + ", ca: " +
		p.file("switchca.pem") + "}\n" + more
	p.put("switchca.pem", p.read("pki/switchca/cacert.pem"))
	return &site{Lab: l, t: t, ctl: l.StartController(program, config, "--openflow-listen", target)}, target
}

func (p *pki) read(name string) []byte {
	p.t.Helper()
	text, err := os.ReadFile(p.file(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// TestTLS: bridges connect over TLS with keys made by ovs-pki, both sides showing certificates. Another authority, a
// certificate that has expired, none at all, and no TLS at all are refused with a reason, and a datapath id may be
// bound to a certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	good, other := newPKI(t), newPKI(t)
	good.sign("ctl", "controller")
	good.sign("sw", "switch")
	good.expired("late")
	other.sign("stranger", "switch")
	s, target := sslSite(t, good,
		"switches:\n  bound: {datapath_id: \"0000000000000003\", certificate: somebody else}\n")
	address := strings.TrimPrefix(target, "ssl:")

	h1, h2, h3 := s.AddHost("host1"), s.AddHost("host2"), s.AddHost("host3")
	good.use(h1, "sw", good)
	br := h1.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitConnected(br)
	s.reachAll(s.vm(br, "vm1"), s.vm(br, "vm2"))
	own := good.cert("sw-cert.pem")
	if o := s.session(br); !strings.HasPrefix(o.Address, "ssl:") || o.TLS == nil ||
		o.TLS.Certificate != own.Subject.CommonName ||
		o.TLS.Serial != good.serial("sw-cert.pem") || !o.TLS.Expires.Equal(own.NotAfter) || o.TLS.Version != "TLS 1.3" {
		t.Errorf("the session is %+v with %+v", o, o.TLS)
	}
	if got := s.metric(fmt.Sprintf("eosin_switch_tls_expiry_timestamp_seconds{switch=%q}",
		s.switchName(br))); got != float64(own.NotAfter.Unix()) {
		t.Errorf("the switch's certificate expires at %v, want %v", got, own.NotAfter.Unix())
	}

	// refused waits for the log line and the event, and checks that a bridge has not joined.
	refused := func(br *lab.Bridge, texts ...string) {
		t.Helper()
		s.waitLog(patience, append(texts, "switch_refused", "level=warning")...)
		if r := s.ctl.Eosin("events"); !strings.Contains(r.Stdout, texts[0]) {
			t.Errorf("no event with %q: %v", texts[0], r)
		}
		if br != nil && s.isConnected(br) {
			t.Errorf("%s joined", br)
		}
	}
	other.use(h2, "stranger", good) // signed by an authority that the controller does not know
	stranger := h2.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	refused(stranger, "certificate signed by unknown authority", "stranger id:",
		"serial "+other.serial("stranger-cert.pem"), "openflow.tls.ca")

	good.use(h2, "late", good)
	refused(stranger, "certificate has expired", "late id:", "serial "+good.serial("late-cert.pem"),
		"ovs-vsctl set-ssl")

	good.use(h2, "sw", other) // a switch that does not believe the controller
	refused(stranger, "it does not accept our certificate", "get-ssl")

	good.use(h2, "sw", good)
	stranger.SetController("tcp:" + address) // no TLS where TLS is spoken
	refused(stranger, "it speaks plain OpenFlow where TLS is spoken", "from ssl:", "ssl:HOST:PORT")
	stranger.SetController("ssl:" + strings.TrimPrefix(s.ControllerTarget(), "tcp:")) // and TLS where none is
	refused(stranger, "it speaks TLS where OpenFlow is spoken without TLS", "from tcp:", "tcp:HOST:PORT")
	stranger.SetController(target)
	s.waitConnected(stranger)

	good.use(h3, "sw", good)
	bound := h3.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	refused(bound, "is bound to the certificate", "somebody else", own.Subject.CommonName)

	// Open vSwitch itself does not connect without a certificate, so that another client has to try.
	h4 := s.AddHost("host4")
	bare := h4.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.eventually(patience, "ovs-vswitchd refuses to connect without a key", func() bool {
		return strings.Contains(h4.Vswitchd().Log(), "Private key must be configured to use SSL")
	})
	says(t, 1, "alert certificate required", good.client(address, "", "-ign_eof")...)
	refused(bare, "it shows no certificate", "from ssl:", "ovs-vsctl set-ssl")

	for version, ok := range map[string]bool{"-tls1": false, "-tls1_1": false, "-tls1_2": true, "-tls1_3": true} {
		out, exit := run(t, good.client(address, "sw", version, "-cipher", "DEFAULT@SECLEVEL=0")...)
		if done := strings.Contains(out, "Verify return code: 0 (ok)") && exit == 0; done != ok {
			t.Errorf("%s: exit %d\n%s", version, exit, out)
		}
		if !ok && !strings.Contains(out, "alert protocol version") {
			t.Errorf("%s: no reason\n%s", version, out)
		}
	}
	refused(nil, "client offered only unsupported versions", "from ssl:")

	if !s.isConnected(br) {
		t.Error("the good switch was lost")
	}
}

// TestTLSReplacedFiles: files are replaced on both sides while sessions are up. Nobody is disconnected, and who
// connects afterwards meets the new ones. A replacement that cannot be used is told of and leaves the one before in
// use.
func TestTLSReplacedFiles(t *testing.T) {
	t.Parallel()
	before, after := newPKI(t), newPKI(t)
	before.sign("ctl", "controller")
	before.sign("sw", "switch")
	after.sign("ctl", "controller")
	after.sign("sw", "switch")
	after.sign("again", "controller")
	s, target := sslSite(t, before, "")
	address := strings.TrimPrefix(target, "ssl:")

	h1, h2 := s.AddHost("host1"), s.AddHost("host2")
	before.use(h1, "sw", before)
	br := h1.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitConnected(br)
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.reachAll(vm1, vm2)
	since := s.session(br).ConnectedSince
	same := func() {
		t.Helper()
		if o := s.session(br); !o.Connected || !o.ConnectedSince.Equal(*since) {
			t.Errorf("the session since %v is now %v, since %v", since, o.Connected, o.ConnectedSince)
		}
	}
	if got, want := before.shows(address, "sw"), before.serial("ctl-cert.pem"); got != want {
		t.Errorf("the controller shows %s, want %s", got, want)
	}

	// The controller's: another certificate, of another authority, which also vouches for the switches.
	before.replace(after, "ctl-cert.pem=ctl-cert.pem", "ctl-privkey.pem=ctl-privkey.pem",
		"switchca.pem=pki/switchca/cacert.pem")
	next := after.serial("ctl-cert.pem")
	nextName := after.cert("ctl-cert.pem").Subject.CommonName
	if got := after.shows(address, "sw"); got != next {
		t.Errorf("the controller shows %s, want %s", got, next)
	}
	s.waitLog(patience, "openflow.tls", "read again", nextName)
	after.use(h2, "sw", after)
	late := h2.AddBridge("br0", lab.BridgeOptions{Controllers: []string{target}})
	s.waitConnected(late)
	same()
	s.pings(vm1, vm2)

	// Broken: half a key.
	key := before.read("ctl-privkey.pem")
	before.put("ctl-privkey.pem", key[:len(key)/2])
	s.waitLog(patience, "level=error", "openflow.tls.key", "stay in use") // although nobody connects
	if got := after.shows(address, "sw"); got != next {
		t.Errorf("with a broken key the controller shows %s, want %s", got, next)
	}
	if s.metric("eosin_openflow_tls_last_reload_successful") != 0 {
		t.Error("the metric does not say that the files are broken")
	}
	before.replace(after, "ctl-cert.pem=again-cert.pem", "ctl-privkey.pem=again-privkey.pem")
	if got, want := after.shows(address, "sw"), after.serial("again-cert.pem"); got != want {
		t.Errorf("with a right key again the controller shows %s, want %s", got, want)
	}
	if s.metric("eosin_openflow_tls_last_reload_successful") != 1 {
		t.Error("the metric does not say that the files are right again")
	}
	expiry := min(after.cert("again-cert.pem").NotAfter.Unix(), after.cert("pki/switchca/cacert.pem").NotAfter.Unix())
	if got := s.metric("eosin_openflow_tls_expiry_timestamp_seconds"); got != float64(expiry) {
		t.Errorf("expiry %v, want %v", got, expiry)
	}
	same()
	s.pings(vm1, vm2)

	// The switch's: the names stay, what is in them changes. Its session stays, its next one shows the new certificate.
	if got, want := s.session(br).TLS.Serial, before.serial("sw-cert.pem"); got != want {
		t.Errorf("the switch shows %s, want %s", got, want)
	}
	before.replace(after, "sw-cert.pem=sw-cert.pem", "sw-privkey.pem=sw-privkey.pem",
		"pki/controllerca/cacert.pem=pki/controllerca/cacert.pem")
	same()
	br.SetController(s.ControllerTarget()) // the same target again would be the same connection
	s.eventually(patience, "the switch is connected without TLS",
		func() bool { o := s.session(br); return o.Connected && o.TLS == nil })
	br.SetController(target)
	s.eventually(patience, "the switch is connected again and shows its new certificate", func() bool {
		o := s.session(br)
		return o.Connected && !o.ConnectedSince.Equal(*since) && o.TLS != nil &&
			o.TLS.Serial == after.serial("sw-cert.pem")
	})
	s.pings(vm1, vm2)
}

// TestTLSConnect: the controller connects over TLS to bridges that listen (pssl:), which are held to the same. A bridge
// that listens in another way than the controller connects is told of.
func TestTLSConnect(t *testing.T) {
	t.Parallel()
	good, other := newPKI(t), newPKI(t)
	good.sign("ctl", "controller")
	good.sign("sw", "switch")
	other.sign("stranger", "switch")
	l := lab.Start(t)
	h1, h2 := l.AddHost("host1"), l.AddHost("host2")
	good.use(h1, "sw", good)
	other.use(h2, "stranger", good)
	at := func(h *lab.Host, name, way string, port int) (br *lab.Bridge, address string) {
		br = h.AddBridge(name, lab.BridgeOptions{})
		br.SetController(fmt.Sprintf("%s:%d:%s", way, port, h.ManagementIP()))
		return br, fmt.Sprintf("%s:%d", h.ManagementIP(), port)
	}
	right, a := at(h1, "br0", "pssl", 6640)
	plain, b := at(h1, "br1", "ptcp", 6641)
	secret, c := at(h1, "br2", "pssl", 6642)
	stranger, d := at(h2, "br0", "pssl", 6640)
	config := fmt.Sprintf("openflow:\n  connect: ['ssl:%s', 'ssl:%s', 'tcp:%s', 'ssl:%s']\n"+
		"  tls: {cert: %s, key: %s, ca: %s}\n",
		a, b, c, d, good.file("ctl-cert.pem"), good.file("ctl-privkey.pem"), good.file("pki/switchca/cacert.pem"))
	s := &site{Lab: l, t: t, ctl: l.StartController(program, config)}
	s.waitConnected(right)
	if o := s.session(right); o.TLS == nil || o.TLS.Serial != good.serial("sw-cert.pem") || o.Address != "ssl:"+a {
		t.Errorf("the session is %+v with %+v", o, o.TLS)
	}
	s.waitLog(patience, "ssl:"+b, "it speaks plain OpenFlow where TLS is spoken", "pssl:PORT")
	s.waitLog(patience, "openflow.connect tcp:"+c, "the bridge hung up", "write ssl: here")
	s.waitLog(patience, "ssl:"+d, "certificate signed by unknown authority", "stranger id:")
	for _, br := range []*lab.Bridge{plain, secret, stranger} {
		if s.isConnected(br) {
			t.Errorf("%s joined", br)
		}
	}
}
