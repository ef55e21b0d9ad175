package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

var update = flag.Bool("update", false, "write the golden files")

// serve starts a server on a backend, over real connections.
func serve(t *testing.T, backend api.Backend, change func(*api.Options)) string {
	t.Helper()
	options := api.Options{Backend: backend, Version: "v1.2.3"}
	if change != nil {
		change(&options)
	}
	server := httptest.NewServer(api.New(options))
	t.Cleanup(server.Close)
	return server.URL
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// ask sends a request with headers given as "Name: value".
func ask(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	client := http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{response, string(text)}
}

// wantProblem checks that an answer is a problem document of a status and code, and returns it.
func wantProblem(t *testing.T, a answer, status int, code api.Code) api.Problem {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q: %s", got, a.body)
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("not a problem: %v: %s", err, a.body)
	}
	if p.Status != status || p.Code != code || p.Detail == "" || p.Title != http.StatusText(status) {
		t.Errorf("problem %+v, want status %d and code %s", p, status, code)
	}
	return p
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update writes it):\n%s", path, got)
	}
}

// indent writes JSON for people.
func indent(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return strings.TrimSpace(out.String()) + "\n"
}

// lab returns the backend and URL of a server that shows the lab.
func lab(t *testing.T) (*apitest.Backend, string) {
	t.Helper()
	b := apitest.Lab()
	return b, serve(t, b, nil)
}

// serveHandler serves a handler over real connections.
func serveHandler(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
