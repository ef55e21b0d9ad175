package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/api"
)

const (
	defaultServer = "http://127.0.0.1:9653"
	dialTimeout   = 5 * time.Second
	listTimeout   = 30 * time.Second
	maxResponse   = 256 << 20 // bytes; a list of a million flows is smaller
	maxLine       = 4 << 20   // bytes of one line of a stream
)

// client calls the controller's API.
type client struct {
	base  string // URL without a trailing slash
	token string
	files map[string]source
	http  *http.Client
}

// client returns a client for the server that the flags or the environment name.
func (a *app) client() (*client, error) {
	server := cmp.Or(a.server, a.env("EOSIN_SERVER"), defaultServer)
	files := a.sources()
	if !strings.Contains(server, "://") {
		scheme := "http://"
		if len(files) > 0 {
			scheme = "https://" // TLS files were given
		}
		server = scheme + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageErrorf("the server must be a URL such as %s, is %q", defaultServer, server)
	}
	secure, err := a.clientTLS(u.Scheme, files)
	if err != nil {
		return nil, err
	}
	token := a.env("EOSIN_TOKEN")
	if a.tokenFile != "" {
		text, err := os.ReadFile(a.tokenFile)
		if err != nil {
			return nil, failf("cannot read the token: %w", err)
		}
		token = string(text)
	}
	return &client{
		base:  strings.TrimRight(u.String(), "/"),
		token: strings.TrimSpace(token),
		files: files,
		http: &http.Client{Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			TLSClientConfig:     secure,
		}},
	}, nil
}

// open sends a request and returns the response if its status is 200. Other responses, and none, are errors with an
// exit status.
func (c *client) open(ctx context.Context, method, path, accept string, body any, header http.Header) (*http.Response,
	error,
) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, usageErrorf("%v", err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "eosin")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.refusal(response)
}

// unreachable explains why there was no response.
func (c *client) unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return failf("interrupted")
	}
	var wrapper *url.Error
	if errors.As(err, &wrapper) { // otherwise the connection broke during the response
		err = wrapper.Err
		if trouble := c.explainTLS(err, time.Now()); trouble != nil {
			return failf("%w", trouble)
		}
	}
	return failf("no answer from the controller at %s: %w\nIs 'eosin serve' running there? --server or EOSIN_SERVER "+
		"name another address", c.base, err)
}

// refusal turns a response that is not a success into an error.
func (c *client) refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxLine)) // a partial body still helps
	if response.StatusCode == http.StatusBadRequest && strings.Contains(string(body), httpsExpected) {
		return failf("the controller at %s speaks HTTPS: write https://%s", c.base,
			strings.TrimPrefix(c.base, "http://"))
	}
	var problem api.Problem
	if mediaType(response) != "application/problem+json" || json.Unmarshal(body,
		&problem) != nil || problem.Detail == "" {
		return failf("what answers at %s is not an Eosin controller: status %s, %s", c.base, response.Status,
			mediaType(response))
	}
	return problemError(&problem)
}

// problemError gives a problem its exit status and its text of one or more lines.
func problemError(p *api.Problem) error {
	var text strings.Builder
	text.WriteString(spelling.Printable(p.Detail))
	if len(p.Candidates) > 0 && !strings.Contains(p.Detail, p.Candidates[0]) {
		fmt.Fprintf(&text, "; candidates: %s", spelling.Printable(strings.Join(p.Candidates, ", ")))
	}
	if p.Stage != "" {
		fmt.Fprintf(&text, " (%s)", spelling.Printable(p.Stage))
	}
	for _, line := range p.Evidence {
		fmt.Fprintf(&text, "\n  %s", spelling.Printable(line))
	}
	if p.Code == api.CodeUnauthorized {
		text.WriteString("\nGive the token with --token-file or in EOSIN_TOKEN")
	}
	status := exitCannot
	if p.Code == api.CodeInvalid || p.Code == api.CodeMalformed {
		status = exitUsage
	}
	return &exitError{status: status, err: errors.New(text.String())}
}

// foreign reports that the server is not Eosin.
func (c *client) foreign(response *http.Response) error {
	return failf("what answers at %s is not an Eosin controller: %s", c.base, mediaType(response))
}

// mediaType returns the media type of a response.
func mediaType(response *http.Response) string {
	name, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return "no content type"
	}
	return name
}

// get reads a JSON document.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	response, err := c.open(ctx, http.MethodGet, path, "application/json", nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if len(body) > maxResponse {
		return nil, failf("the answer of %s is larger than %d bytes; narrow it", c.base, maxResponse)
	}
	if mediaType(response) != "application/json" || !json.Valid(body) {
		return nil, c.foreign(response)
	}
	return bytes.TrimSpace(body), nil
}
