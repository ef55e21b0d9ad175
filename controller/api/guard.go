package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// ServeHTTP runs the checks common to all requests, then the operation. In this order: 1. size of the headers,
// 2. token, 3. syntax of the query, 4. cross-origin request, 5. path and method, 6. body where none is allowed.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rw := &responseWriter{ResponseWriter: w, timeout: s.Limits.WriteTimeout}
	defer s.recovered(rw, r)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Cache-Control", "no-store")

	if hasBody(r) {
		// It also bounds the drain of the body by net/http after the handler.
		rw.setReadDeadline(time.Now().Add(s.Limits.BodyTimeout))
	}
	if p := s.check(r); p != nil {
		s.refuse(rw, r, p)
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" {
		s.refuse(rw, r, notRouted(handler, r))
		return
	}
	if hasBody(r) && pattern != "POST "+probesPath {
		s.refuse(rw, r, malformed("%s %s takes no body", r.Method, r.URL.Path))
		return
	}
	s.mux.ServeHTTP(rw, r)
}

// check is steps 1 to 4 of ServeHTTP.
func (s *Server) check(r *http.Request) *Problem {
	if size := headerSize(r); size > s.Limits.Header {
		return newProblem(http.StatusRequestHeaderFieldsTooLarge, CodeTooLarge,
			"the headers have %d bytes, at most %d are allowed", size, s.Limits.Header)
	}
	if r.URL.Path != healthPath && !s.authorized(r) {
		if r.Header.Get("Authorization") != "" {
			return newProblem(http.StatusUnauthorized, CodeUnauthorized,
				"the token shown is not the controller's: send the header \"Authorization: Bearer TOKEN\"")
		}
		return newProblem(http.StatusUnauthorized, CodeUnauthorized,
			"this needs the controller's token: send the header \"Authorization: Bearer TOKEN\"")
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return malformed("malformed query: %v", err)
	}
	if err := s.origin.Check(r); err != nil {
		return newProblem(http.StatusForbidden, CodeForbidden, "a web page of another origin may not do this: %v", err)
	}
	return nil
}

// refuse responds with a problem. A connection with an unread body is closed afterwards.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	if hasBody(r) {
		w.Header().Set("Connection", "close")
	}
	s.Log.WithFields(logrus.Fields{
		"method": r.Method, "path": r.URL.Path, "remote": r.RemoteAddr, "status": p.Status,
	}).Debug("http: refused: " + p.Detail)
	p.write(w)
}

// authorized reports whether the request has the token, in constant time.
func (s *Server) authorized(r *http.Request) bool {
	want := s.token.Load()
	if want == nil {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// headerSize is the size in bytes of request line and headers in HTTP/1.1.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

// notRouted explains why no operation matches, from the mux's own response: its status and its Allow header.
func notRouted(handler http.Handler, r *http.Request) *Problem {
	answer := &headerOnly{header: http.Header{}}
	handler.ServeHTTP(answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		allow := answer.header.Get("Allow")
		p := newProblem(http.StatusMethodNotAllowed, CodeMethod, "%s is not allowed here; allowed: %s", r.Method, allow)
		p.Allow = allow
		return p
	}
	return newProblem(http.StatusNotFound, CodeNotFound, "there is nothing at %s; %s lists what there is", r.URL.Path,
		specPath)
}

// headerOnly is a response writer that drops the body.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }

// recovered turns a panic of a handler into a problem, or aborts the response if it has begun.
func (s *Server) recovered(w *responseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone; net/http closes the connection without a log line
	}
	s.Log.WithFields(logrus.Fields{
		"method": r.Method, "path": r.URL.Path, "panic": fmt.Sprint(cause), "stack": string(debug.Stack()),
	}).Error("http: request failed")
	if w.wrote {
		panic(http.ErrAbortHandler)
	}
	internal(nil).write(w)
}
