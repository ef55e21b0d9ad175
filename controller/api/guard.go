package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"
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
		s.refuse(rw, r, newProblem(http.StatusBadRequest, CodeMalformed, "%s %s takes no body", r.Method, r.URL.Path))
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
		return newProblem(http.StatusBadRequest, CodeMalformed, "malformed query: %v", err)
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

// responseWriter sets a deadline for each write, so that a client that stops reading does not block a handler, while a
// response as a whole may take as long as it needs.
type responseWriter struct {
	http.ResponseWriter
	timeout time.Duration
	wrote   bool
}

// Unwrap is for [http.ResponseController].
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) WriteHeader(status int) {
	w.extend()
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

// Write writes in pieces that each have a deadline, so that a large response over a slow link is not taken for a
// stalled one.
func (w *responseWriter) Write(b []byte) (written int, err error) {
	const piece = 64 << 10
	w.wrote = true
	for first := true; first || written < len(b); first = false {
		w.extend()
		n, err := w.ResponseWriter.Write(b[written:min(written+piece, len(b))])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// extend sets the next write deadline. A writer without deadlines, such as a test recorder, cannot block.
func (w *responseWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout))
}

// setReadDeadline sets the deadline for reading the body.
func (w *responseWriter) setReadDeadline(t time.Time) {
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

// plainProblems is a huma transformer: it turns huma's own errors, which are about parameters, into our problems.
func plainProblems(_ huma.Context, _ string, value any) (any, error) {
	model, ok := value.(*huma.ErrorModel)
	if !ok {
		return value, nil
	}
	if model.Status >= http.StatusInternalServerError {
		return internal(nil), nil
	}
	errs := make([]FieldError, len(model.Errors))
	for i, e := range model.Errors {
		errs[i] = FieldError{Location: e.Location, Message: cmp.Or(messages[e.Message], e.Message)}
	}
	p := newProblem(model.Status, CodeInvalid, "%s", model.Detail)
	if len(errs) > 0 {
		p.Detail, p.Errors = joinErrors(errs), errs
	}
	return p, nil
}

// messages replaces huma's messages about parameters by those of our own checks.
var messages = map[string]string{
	"unknown query parameter": "is not a parameter of this operation",
	"invalid integer":         "must be a whole number",
	"invalid boolean":         "must be true or false",
}

// newErrorLog forwards net/http's log at debug level. A refused TLS handshake is a warning, at most handshakesAtOnce in
// a row and handshakesPerSecond after that.
func newErrorLog(l *logrus.Logger) *log.Logger {
	return log.New(&errorWriter{l, rate.NewLimiter(handshakesPerSecond, handshakesAtOnce)}, "", 0)
}

const (
	handshakesPerSecond = 1
	handshakesAtOnce    = 20
)

type errorWriter struct {
	log     *logrus.Logger
	refused *rate.Limiter
}

func (w *errorWriter) Write(line []byte) (int, error) {
	level := logrus.DebugLevel
	if refusedByTLS(string(line)) && w.refused.Allow() {
		level = logrus.WarnLevel
	}
	w.log.Log(level, "http: "+strings.TrimPrefix(strings.TrimSpace(string(line)), "http: "))
	return len(line), nil
}

// refusedByTLS reports a failed handshake that is not a mere disconnect.
func refusedByTLS(line string) bool {
	if !strings.HasPrefix(line, "http: TLS handshake error from ") {
		return false
	}
	for _, gone := range []string{"EOF", "connection reset", "broken pipe", "i/o timeout", "use of closed"} {
		if strings.Contains(line, gone) {
			return false
		}
	}
	return true
}
