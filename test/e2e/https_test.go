package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/pki/pkitest"
	"github.com/eosin-sdn/eosin/lab"
)

// A server is a running "eosin serve" that meets no switches.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string // of HTTP
	done chan struct{}

	mu  sync.Mutex
	log strings.Builder
}

var servesAt = regexp.MustCompile(`HTTP on https?://([^ ",]+)`)

// startServer runs the program with a config until the test ends. HTTP listens wherever the config says; port 0 is one
// that is free.
func startServer(t *testing.T, config string) *server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "eosin.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, done: make(chan struct{}), cmd: exec.Command(program, "serve", "-c", path, "--openflow-listen",
		"tcp:127.0.0.1:0")}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() { // ends with the program
		defer close(s.done)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
		}
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(stopWithin):
			t.Error("it does not end")
			_ = s.cmd.Process.Kill()
			<-s.done
		}
	})
	s.waitLog("OpenFlow: listening")
	s.addr = servesAt.FindStringSubmatch(s.text())[1]
	return s
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// waitLog waits for a line with all texts.
func (s *server) waitLog(texts ...string) {
	s.t.Helper()
	if !lab.Eventually(patience, func() bool { return len(grep(strings.Split(s.text(), "\n"), texts...)) > 0 }) {
		s.t.Fatalf("no line with %q in\n%s", texts, s.text())
	}
}

// run runs a program and returns what it writes and its exit status.
func run(t *testing.T, args ...string) (out string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	text, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%v: %v", args, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// says runs a program and checks its exit status and a part of what it writes.
func says(t *testing.T, exit int, text string, args ...string) {
	t.Helper()
	if out, got := run(t, args...); got != exit || !strings.Contains(out, text) {
		t.Errorf("%s: exit %d, want %d with %q\n%s", strings.Join(args, " "), got, exit, text, out)
	}
}

// TestHTTPS: HTTP over TLS with client certificates and a token: who gets in with the program's own client and with
// curl, who does not and what they are told, and how files are replaced while it runs.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	ca, other := pkitest.New(t, "Eosin CA"), pkitest.New(t, "other CA")
	made := func(cert tls.Certificate, cas ...*pkitest.Authority) *pkitest.Files {
		files := pkitest.NewFiles(t)
		files.Write(cert, cas...)
		return files
	}
	first := ca.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1")
	web := made(first, ca)
	me, stranger, late := made(ca.Issue("me", pkitest.Tomorrow()), ca),
		made(other.Issue("stranger", pkitest.Tomorrow()), other), made(ca.Issue("late", pkitest.Yesterday()), ca)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "http: {listen: '0.0.0.0:0', token_file: "+token+", tls: "+web.YAML(true)+"}\n")
	s.addr = "127.0.0.1" + s.addr[strings.LastIndex(s.addr, ":"):]
	url := "https://" + s.addr
	s.waitLog("for clients with a certificate")
	if strings.Contains(s.text(), "the token crosses the network") {
		t.Errorf("a warning that is not due:\n%s", s.text())
	}

	eosin := func(flags ...string) []string {
		return append([]string{program, "get", "networks", "--server", url}, flags...)
	}
	with := func(f *pkitest.Files, more ...string) []string {
		return append([]string{"--ca", web.CA(), "--cert", f.Cert(), "--key", f.Key()}, more...)
	}
	says(t, 0, "default", eosin(with(me, "--token-file", token)...)...)
	says(t, 3, "controller's token", eosin(with(me)...)...)
	says(t, 3, "demands a certificate of its clients", eosin("--ca", web.CA())...)
	says(t, 3, "an authority that this system does not know", eosin()...)
	says(t, 3, "does not come from the authority in "+stranger.CA(), eosin("--ca", stranger.CA())...)
	says(t, 3, "unknown certificate authority", eosin(with(stranger)...)...)
	says(t, 3, "expired certificate", eosin(with(late)...)...)
	says(t, 3, "speaks HTTPS: write "+url, program, "get", "networks", "--server", "http://"+s.addr)
	s.waitLog("level=warning", "TLS handshake error", "client didn't provide a certificate")
	s.waitLog("level=warning", "TLS handshake error", "unknown authority")
	s.waitLog("level=warning", "TLS handshake error", "has expired")

	curl := func(path string, flags ...string) []string {
		return append([]string{"curl", "-sS", "--max-time", "20", url + path}, flags...)
	}
	withCurl := func(f *pkitest.Files, more ...string) []string {
		return append([]string{"--cacert", web.CA(), "--cert", f.Cert(), "--key", f.Key()}, more...)
	}
	bearer := []string{"-H", "Authorization: Bearer word"}
	says(t, 0, `"name":"default"`, curl("/api/v1/networks", withCurl(me, bearer...)...)...)
	says(t, 0, `"status":"ok"`, curl("/healthz", withCurl(me)...)...)
	says(t, 0, "Authorization: Bearer TOKEN", curl("/metrics", withCurl(me, "-H", "Authorization: Bearer other")...)...)
	says(t, 60, "certificate", curl("/healthz")...)
	says(t, 56, "certificate required", curl("/healthz", "--cacert", web.CA())...)
	says(t, 56, "alert", curl("/healthz", withCurl(stranger)...)...)
	says(t, 56, "alert", curl("/healthz", withCurl(late)...)...)
	says(t, 0, "HTTP request to an HTTPS server", "curl", "-sS", "--max-time", "20", "http://"+s.addr+"/healthz")

	// Versions of TLS, as another implementation speaks them. The level lets it offer what is too old.
	for version, ok := range map[string]bool{"-tls1": false, "-tls1_1": false, "-tls1_2": true, "-tls1_3": true} {
		out, exit := run(t, "openssl", "s_client", "-connect", s.addr, version, "-cipher", "DEFAULT@SECLEVEL=0",
			"-CAfile", web.CA(), "-cert", me.Cert(), "-key", me.Key())
		if done := strings.Contains(out, "Verify return code: 0 (ok)") && exit == 0; done != ok {
			t.Errorf("%s: exit %d\n%s", version, exit, out)
		}
		if !ok && !strings.Contains(out, "alert protocol version") {
			t.Errorf("%s: no reason\n%s", version, out)
		}
	}
	if got := s.metric("eosin_http_tls_expiry_timestamp_seconds", ca, me); got != float64(first.Leaf.NotAfter.Unix()) {
		t.Errorf("expiry %v, want %v", got, first.Leaf.NotAfter.Unix())
	}
	s.scraped(web, me, token)
	s.replaceWhileItRuns(ca, other, web, me)
}

// scraped checks that Prometheus reads the metrics, as docs/operations.md tells it to.
func (s *server) scraped(web, me *pkitest.Files, token string) {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	err := os.WriteFile(config, []byte(fmt.Sprintf(`global: {scrape_interval: 1s}
scrape_configs:
  - job_name: eosin
    scheme: https
    authorization: {credentials_file: %s}
    tls_config: {ca_file: %s, cert_file: %s, key_file: %s}
    static_configs: [{targets: [%q]}]
`, token, web.CA(), me.Cert(), me.Key(), s.addr)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	addr := lab.Loopback(t) + ":9090"
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+addr, "--log.level=warn")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	p := &prometheus{url: "http://" + addr}
	var found []sample
	if !lab.Eventually(patience, func() bool {
		found, err = p.try(`eosin_http_tls_expiry_timestamp_seconds and on(job) up{job="eosin"} == 1`)
		return err == nil && len(found) == 1
	}) {
		t.Errorf("Prometheus does not scrape: %v, %v", found, err)
	}
}

// client is one for certificates; each has a connection of its own.
func (s *server) client(ca *pkitest.Authority, shown *pkitest.Files) *http.Client {
	s.t.Helper()
	cert, err := tls.LoadX509KeyPair(shown.Cert(), shown.Key())
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:      ca.Pool(),
		Certificates: []tls.Certificate{cert},
	}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// get reads a path and returns the serial number of the certificate that the server shows on that connection.
func (s *server) get(c *http.Client, path string) (body, serial string, err error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+s.addr+path, nil)
	if err != nil {
		return "", "", err
	}
	request.Header.Set("Authorization", "Bearer word")
	response, err := c.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), fmt.Sprintf("%X", response.TLS.PeerCertificates[0].SerialNumber), err
}

func (s *server) metric(name string, ca *pkitest.Authority, shown *pkitest.Files) (v float64) {
	s.t.Helper()
	body, _, err := s.get(s.client(ca, shown), "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if n, _ := fmt.Sscanf(line, name+" %g", &v); n == 1 {
			return v
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

// replaceWhileItRuns replaces certificate, key and authority: those who are connected stay, newcomers meet the new
// ones; and then again with files that cannot be used.
func (s *server) replaceWhileItRuns(ca, other *pkitest.Authority, web, me *pkitest.Files) {
	t := s.t
	t.Helper()
	up := s.client(ca, me)
	_, before, err := s.get(up, "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.follow(ca, me)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()

	next := other.Issue("eosin again", pkitest.Tomorrow(), "127.0.0.1")
	web.Write(next, other)
	serial := fmt.Sprintf("%X", next.Leaf.SerialNumber)
	mine := pkitest.NewFiles(t)
	mine.Write(other.Issue("me again", pkitest.Tomorrow()), other)
	if _, got, err := s.get(s.client(other, mine), "/healthz"); err != nil || got != serial {
		t.Errorf("after the files were replaced %s is shown, want %s: %v", got, serial, err)
	}
	s.waitLog("level=info", "http.tls", "read again", serial)
	if _, _, err := s.get(s.client(other, me), "/healthz"); err == nil {
		t.Error("a client of the authority before is let in")
	}
	if _, got, err := s.get(up, "/healthz"); err != nil || got != before {
		t.Errorf("the connection that was up now shows %s, before %s: %v", got, before, err)
	}

	// Broken, while nobody connects: the log says so, and what was read before is used.
	web.Break(web.Key(), "-----BEGIN NOTHING-----\n")
	s.waitLog("level=error", "http.tls.key", "holds no private key", "stay in use")
	if _, got, err := s.get(s.client(other, mine), "/healthz"); err != nil || got != serial {
		t.Errorf("with a broken key %s is shown, want %s: %v", got, serial, err)
	}
	if s.metric("eosin_http_tls_last_reload_successful", other, mine) != 0 {
		t.Error("the metric does not say that the files are broken")
	}
	if n := strings.Count(s.text(), "holds no private key"); n != 1 {
		t.Errorf("said %d times that the key is broken", n)
	}
	last := other.Issue("eosin at last", pkitest.Tomorrow(), "127.0.0.1")
	web.Write(last, other)
	if _, got, err := s.get(s.client(other, mine), "/healthz"); err != nil ||
		got != fmt.Sprintf("%X", last.Leaf.SerialNumber) {
		t.Errorf("with a right key again %s is shown: %v", got, err)
	}
	if s.metric("eosin_http_tls_last_reload_successful", other, mine) != 1 {
		t.Error("the metric does not say that the files are right again")
	}

	// The stream of events that began before all this was not cut.
	if err := stream.alive(); err != nil {
		t.Errorf("the event stream: %v", err)
	}
}

// A stream of events.
type stream struct {
	io.Closer
	ended chan error
}

// follow begins a stream.
func (s *server) follow(ca *pkitest.Authority, shown *pkitest.Files) (*stream, error) {
	client := s.client(ca, shown)
	client.Timeout = 0
	request, err := http.NewRequest(http.MethodGet, "https://"+s.addr+"/api/v1/events", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer word")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.Join(errors.New(response.Status), response.Body.Close())
	}
	st := &stream{response.Body, make(chan error, 1)}
	go func() { // ends with the stream
		_, err := io.Copy(io.Discard, response.Body)
		st.ended <- fmt.Errorf("it ended: %w", err)
	}()
	return st, nil
}

func (s *stream) alive() error {
	select {
	case err := <-s.ended:
		return err
	default:
		return nil
	}
}

// TestHTTPBeyondLoopback: what the program asks for before it can be reached from other machines.
func TestHTTPBeyondLoopback(t *testing.T) {
	t.Parallel()
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1"), ca)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "eosin.yaml")
	for _, text := range []string{"listen: '0.0.0.0:0'", "listen: '0.0.0.0:0', tls: " + files.YAML(false)} {
		if err := os.WriteFile(path, []byte("http: {"+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, 1, path+":1: http.listen: ", program, "check", path)
		says(t, 1, path+":1: http.listen: ", program, "serve", "-c", path)
	}
	const warning = "the token crosses the network"
	for text, warned := range map[string]bool{
		"token_file: " + token:                                 true,
		"token_file: " + token + ", insecure: true":            false,
		"token_file: " + token + ", tls: " + files.YAML(false): false,
		"tls: " + files.YAML(true):                             false,
		"insecure: true":                                       false,
		"insecure: true, tls: " + files.YAML(false):            false,
	} {
		s := startServer(t, "http: {listen: '0.0.0.0:0', "+text+"}\n")
		if got := strings.Contains(s.text(), warning); got != warned {
			t.Errorf("%s: warned is %v\n%s", text, got, s.text())
		}
	}

	// Files that cannot be used keep it from starting, and the line of the config is named.
	if err := os.WriteFile(path, []byte("http:\n  tls:\n    cert: "+files.Cert()+"\n    key: "+files.CA()+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	says(t, 1, path+":4: http.tls.key: "+files.CA()+" holds no private key", program, "serve", "-c", path)
	says(t, 1, path+":4: http.tls.key: "+files.CA()+" holds no private key", program, "check", path)
}

// TestHTTPSSlowly: connections that do not get through their handshake, or through the headers of their request, are
// ended, and do not keep others out.
func TestHTTPSSlowly(t *testing.T) {
	t.Parallel()
	ca := pkitest.New(t, "CA")
	files := pkitest.NewFiles(t)
	files.Write(ca.Issue("eosin", pkitest.Tomorrow(), "127.0.0.1"), ca)
	s := startServer(t, "http: {listen: '127.0.0.1:0', tls: "+files.YAML(false)+"}\n")
	const limit = 5 * time.Second // of the headers
	const many = 200
	began := time.Now()
	var wg sync.WaitGroup
	for i := range many {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		what := "nothing"
		switch i % 3 {
		case 1:
			what = "half a hello"
			_, _ = nc.Write([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc})
		case 2:
			what = "half a request"
			c := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"})
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n"))
		}
		wg.Go(func() {
			_ = nc.SetReadDeadline(began.Add(limit + patience))
			_, err := io.Copy(io.Discard, nc)
			var netErr net.Error
			if errors.As(err, &netErr) && netErr.Timeout() {
				t.Errorf("%s: not ended after %v", what, time.Since(began))
			} else if took := time.Since(began); took < limit-time.Second {
				t.Errorf("%s: ended after %v", what, took)
			}
		})
	}
	if _, _, err := s.get(s.client(ca, files), "/healthz"); err != nil {
		t.Errorf("beside %d slow ones: %v", many, err)
	}
	wg.Wait()
	t.Logf("%d slow connections ended within %v", many, time.Since(began))
}
