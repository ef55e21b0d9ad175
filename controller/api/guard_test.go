package api_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

func TestPathsAndMethods(t *testing.T) {
	_, url := lab(t)
	for _, c := range []struct {
		method, path string
		status       int
		code         api.Code
		allow        string
	}{
		{"GET", "/nope", 404, api.CodeNotFound, ""},
		{"GET", "/api/v1", 404, api.CodeNotFound, ""},
		{"GET", "/api/v1/", 404, api.CodeNotFound, ""},
		{"GET", "/api/v1/hosts/a/b", 404, api.CodeNotFound, ""},
		{"GET", "/api/v1/hosts/", 404, api.CodeNotFound, ""},
		{"GET", "/api/v2/hosts", 404, api.CodeNotFound, ""},
		{"BREW", "/nope", 404, api.CodeNotFound, ""},
		{"DELETE", "/api/v1/probes", 405, api.CodeMethod, "GET, HEAD, POST"},
		{"POST", "/api/v1/hosts", 405, api.CodeMethod, "GET, HEAD"},
		{"PUT", "/", 405, api.CodeMethod, "GET, HEAD"},
		{"OPTIONS", "/metrics", 405, api.CodeMethod, "GET, HEAD"},
		{"TRACE", "/healthz", 405, api.CodeMethod, "GET, HEAD"},
		{"PROPFIND", "/api/v1/hosts/vm1", 405, api.CodeMethod, "GET, HEAD"},
	} {
		a := ask(t, c.method, url+c.path, "")
		wantProblem(t, a, c.status, c.code)
		if got := a.Header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	if a := ask(t, "HEAD", url+"/api/v1/hosts", ""); a.StatusCode != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.StatusCode, a.body)
	}
	if a := ask(t, "HEAD", url+"/api/v1/events", ""); a.StatusCode != 200 {
		t.Errorf("HEAD of a stream: %d", a.StatusCode)
	}
}

func TestQueries(t *testing.T) {
	_, url := lab(t)
	for query, code := range map[string]api.Code{
		"hosts?name=%zz":                   api.CodeMalformed,
		"hosts?a;b=c":                      api.CodeMalformed,
		"hosts?nome=vm1":                   api.CodeInvalid,
		"flows?table=x":                    api.CodeInvalid,
		"flows?table=255":                  api.CodeInvalid,
		"flows?table=99999999999999999999": api.CodeInvalid,
		"networks?switch=host1":            api.CodeInvalid,
		"events?after=-1":                  api.CodeInvalid,
	} {
		a := ask(t, "GET", url+"/api/v1/"+query, "")
		status := 422
		if code == api.CodeMalformed {
			status = 400
		}
		wantProblem(t, a, status, code)
	}
	p := wantProblem(t, ask(t, "GET", url+"/api/v1/hosts?nome=vm1", ""), 422, api.CodeInvalid)
	if p.Detail != "nome is not a parameter of this operation" || len(p.Errors) != 1 ||
		p.Errors[0].Location != "query.nome" {
		t.Errorf("%+v", p)
	}
}

func TestToken(t *testing.T) {
	const token = "correct horse"
	server := api.New(api.Options{Backend: apitest.Lab(), Token: token})
	url := serveHandler(t, server)
	for _, path := range []string{
		"/", "/readyz", "/metrics", "/api/v1/hosts", "/api/v1/openapi.json", "/api/v1/events",
		"/probe?source=vm1&target=vm2", "/nope", "/healthz/", "//healthz",
	} {
		for _, header := range []string{
			"X-None: 1", "Authorization: Bearer", "Authorization: Bearer wrong",
			"Authorization: Basic " + token, "Authorization: " + token, "Authorization: Bearer " + token + "x",
		} {
			a := ask(t, "GET", url+path, "", header)
			p := wantProblem(t, a, 401, api.CodeUnauthorized)
			if shown := strings.HasPrefix(header, "Authorization"); strings.Contains(p.Detail, "is not") != shown {
				t.Errorf("%s: %q", header, p.Detail)
			}
			if a.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		}
	}
	if a := ask(t, "GET", url+"/healthz", ""); a.StatusCode != 200 {
		t.Errorf("/healthz needs a token: %d", a.StatusCode)
	}
	for _, header := range []string{"Authorization: Bearer " + token, "Authorization: bearer " + token} {
		if a := ask(t, "GET", url+"/api/v1/hosts", "", header); a.StatusCode != 200 {
			t.Errorf("right token refused: %d", a.StatusCode)
		}
	}
	server.SetToken("new")
	wantProblem(t, ask(t, "GET", url+"/", "", "Authorization: Bearer "+token), 401, api.CodeUnauthorized)
	server.SetToken("")
	if a := ask(t, "GET", url+"/", ""); a.StatusCode != 200 {
		t.Errorf("no token asked for, got %d", a.StatusCode)
	}
}

func TestForeignOrigin(t *testing.T) {
	_, url := lab(t)
	body := `{"source":"vm1","destination":"vm2","count":1}`
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", body, "Sec-Fetch-Site: cross-site"), 403, api.CodeForbidden)
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", body, "Origin: http://evil.example"), 403, api.CodeForbidden)
	if a := ask(t, "POST", url+"/api/v1/probes", body, "Origin: "+url); a.StatusCode != 200 {
		t.Errorf("own origin refused: %s", a.body)
	}
}

func TestHeadersTooLarge(t *testing.T) {
	_, url := lab(t)
	wantProblem(t, ask(t, "GET", url+"/healthz", "", "X-Big: "+strings.Repeat("x", 16<<10)), 431, api.CodeTooLarge)
	if a := ask(t, "GET", url+"/healthz", "", "X-Big: "+strings.Repeat("x", 15<<10)); a.StatusCode != 200 {
		t.Errorf("15 KiB refused: %d", a.StatusCode)
	}
}

// listen runs Serve with short limits and returns its address and a function that ends it.
func listen(t *testing.T, backend api.Backend, limits api.Limits) (string, func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String(), serveOn(t, listener, backend, limits)
}

// serveOn runs Serve on a listener and returns a function that ends it.
func serveOn(t *testing.T, listener net.Listener, backend api.Backend, limits api.Limits) func() error {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.New(api.Options{Backend: backend, Limits: limits, Log: log}).Serve(ctx, listener) }()
	var result error
	var once bool
	end := func() error {
		if !once {
			once = true
			cancel()
			select {
			case result = <-ended:
			case <-time.After(10 * time.Second):
				t.Error("the server does not end")
			}
		}
		return result
	}
	t.Cleanup(func() { _ = end() })
	return end
}

// talk sends bytes and returns what comes until the server closes, or fails after a time.
func talk(t *testing.T, address, text string, within time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Logf("write: %v", err) // the server may close before it has read all
	}
	got, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("%.40q: the connection is open after %v; got %q", text, within, got)
	}
	return string(got)
}

func TestSlowClientsAreCut(t *testing.T) {
	const short = 200 * time.Millisecond
	address, _ := listen(t, apitest.Lab(), api.Limits{
		ReadHeaderTimeout: short, BodyTimeout: short, IdleTimeout: short,
		WriteTimeout: short,
	})
	const post = "POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", ""},
		"half a request line":  {"GET /heal", "400 Bad Request"},
		"half a header":        {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-", "400 Bad Request"},
		"idle after an answer": {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK"},
		"no body":              {post + "\r\n", "408 Request Timeout"},
		"half a body":          {post + "\r\n{\"source\":", "408 Request Timeout"},
		"half a chunk": {"POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n5\r\n{\"s", "408 Request Timeout"},
		"body that is not read": {
			"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n",
			"400 Bad Request",
		},
		"body of an unknown path": {"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nab", "404 Not Found"},
		"garbage":                 {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "400 Bad Request"},
		"no host":                 {"GET /healthz HTTP/1.1\r\n\r\n", "400 Bad Request"},
		"two lengths": {"POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: " +
			"6\r\n\r\n", "400 Bad Request"},
		"broken chunk": {"POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " +
			"chunked\r\n\r\nzz\r\n", "400 Bad Request"},
		"headers without end": {
			"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("x", 64<<10),
			"431 Request Header Fields Too Large",
		},
		"request line without end": {"GET /" + strings.Repeat("x", 64<<10), "431 Request Header Fields Too Large"},
		"announced too large": {
			"POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
			"413 Request Entity Too Large",
		},
		"expects to go on": {"POST /api/v1/probes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: " +
			"100-continue\r\n\r\n", "413 Request Entity Too Large"},
		"connect": {
			"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
			"405 Method Not Allowed",
		},
		"asterisk": {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := talk(t, address, c.text, 3*time.Second)
			if status, _, _ := strings.Cut(got, "\r\n"); !strings.Contains(status,
				c.want) || c.want == "" && got != "" {
				t.Errorf("got %.200q, want %q", got, c.want)
			}
		})
	}
}

func TestBodyTooLarge(t *testing.T) {
	_, url := lab(t)
	big := `{"source":"` + strings.Repeat("x", 1<<20) + `"}`
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", big), 413, api.CodeTooLarge)
	request, err := http.NewRequestWithContext(t.Context(), "POST", url+"/api/v1/probes",
		io.MultiReader(strings.NewReader(big)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request) // without a length: chunked
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	wantProblem(t, answer{response, string(text)}, 413, api.CodeTooLarge)
}

// closings is a listener that tells when a connection was closed at its side.
type closings struct {
	net.Listener
	closed chan struct{}
}

func (l *closings) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &closing{conn, l.closed}, err
}

type closing struct {
	net.Conn
	closed chan struct{}
}

func (c *closing) Close() error {
	select {
	case c.closed <- struct{}{}:
	default:
	}
	return c.Conn.Close()
}

func TestReaderThatDoesNotReadIsCut(t *testing.T) {
	b := apitest.Lab()
	for i := range 100_000 {
		b.HostList = append(b.HostList, api.Host{Name: fmt.Sprintf("host-with-a-long-name-%d", i)})
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &closings{Listener: tcp, closed: make(chan struct{}, 1)}
	serveOn(t, listener, b, api.Limits{WriteTimeout: 200 * time.Millisecond})
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /api/v1/hosts HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	reader := bufio.NewReader(conn)
	if _, err := reader.Peek(1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-listener.closed:
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not give up")
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil {
		t.Errorf("all %d bytes came although nobody read them in time", n)
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection is still open")
	}
}

// panicking is a backend with a fault.
type panicking struct{ *apitest.Backend }

func (panicking) Hosts(context.Context) ([]api.Host, error) { panic("fault") }

func (panicking) Probe(context.Context, probespec.Request, func(probespec.Update)) (probespec.Result, error) {
	panic("fault")
}

func TestPanicIsAProblem(t *testing.T) {
	var text bytes.Buffer
	log := logrus.New()
	log.SetOutput(&text)
	url := serve(t, panicking{apitest.Lab()}, func(o *api.Options) { o.Log = log })
	wantProblem(t, ask(t, "GET", url+"/api/v1/hosts", ""), 500, api.CodeInternal)
	body := `{"source":"vm1","destination":"vm2"}`
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", body), 500, api.CodeInternal)
	wantProblem(t, ask(t, "POST", url+"/api/v1/probes", body, "Accept: application/x-ndjson"), 500, api.CodeInternal)
	if ask(t, "GET", url+"/api/v1/switches", "").StatusCode != 200 {
		t.Error("the server does not go on")
	}
	if strings.Count(text.String(), "guard_test.go") < 3 {
		t.Errorf("the log does not say where: %s", text.String())
	}
}

// Who is refused in the handshake of TLS is told to an operator, but cannot fill the log; who goes away is not.
func TestRefusedHandshakesAreTold(t *testing.T) {
	var text strings.Builder
	logger := logrus.New()
	logger.SetOutput(&text)
	refused := api.NewErrorLog(logger)
	const told = 20 // in a row
	for _, line := range []string{
		"http: TLS handshake error from 192.0.2.1:1: EOF", "http: TLS handshake error from 192.0.2.1:1: read tcp " +
			"192.0.2.2:1->192.0.2.1:1: i/o timeout",
		"http: TLS handshake error from 192.0.2.1:1: read: connection reset by peer",
		"http: panic serving 192.0.2.1:1: oops",
	} {
		refused.Print(line)
	}
	if text.Len() > 0 {
		t.Errorf("told: %s", text.String())
	}
	for range 10 * told {
		refused.Print("http: TLS handshake error from 192.0.2.1:1: tls: client didn't provide a certificate")
	}
	if n := strings.Count(text.String(), "msg=\"http: TLS handshake error from 192.0.2.1:1: tls: client didn't "+
		"provide a certificate\""); n < told || n > told+5 {
		t.Errorf("told %d times:\n%s", n, text.String())
	}
}
