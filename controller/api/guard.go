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

// ServeHTTP checks what is common to all requests, then finds the operation. The order is: 1. size of the headers,
// 2. token, 3. form of the query, 4. foreign origin, 5. path and method, 6. body where none belongs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rw := &responseWriter{ResponseWriter: w, timeout: s.Limits.WriteTimeout}
	defer s.recovered(rw, r)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.Header().Set("Cache-Control", "no-store")

	if hasBody(r) {
		// The deadline also holds for what net/http reads of it after the handler, so that nobody can stall there.
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
		return newProblem(http.StatusRequestHeaderFieldsTooLarge, CodeTooLarge, "the headers have %d bytes, at most %d are allowed", size, s.Limits.Header)
	}
	if r.URL.Path != healthPath && !s.authorized(r) {
		if r.Header.Get("Authorization") != "" {
			return newProblem(http.StatusUnauthorized, CodeUnauthorized, "the token shown is not the controller's: send the header \"Authorization: Bearer TOKEN\"")
		}
		return newProblem(http.StatusUnauthorized, CodeUnauthorized, "this needs the controller's token: send the header \"Authorization: Bearer TOKEN\"")
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return newProblem(http.StatusBadRequest, CodeMalformed, "malformed query: %v", err)
	}
	if err := s.origin.Check(r); err != nil {
		return newProblem(http.StatusForbidden, CodeForbidden, "a web page of another origin may not do this: %v", err)
	}
	return nil
}

// refuse answers with a problem. A connection with an unread body is closed after it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	if hasBody(r) {
		w.Header().Set("Connection", "close")
	}
	s.Log.WithFields(logrus.Fields{"method": r.Method, "path": r.URL.Path, "remote": r.RemoteAddr, "status": p.Status}).Debug("http: refused: " + p.Detail)
	p.write(w)
}

// authorized tells whether the request shows the token. Its time depends on neither token.
func (s *Server) authorized(r *http.Request) bool {
	want := s.token.Load()
	if want == nil {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// hasBody tells whether the request announces a body.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// headerSize returns the bytes of the request line and the headers as HTTP/1.1 writes them.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

// notRouted says why the mux has no operation for the request: it asks the mux's own answer for the status and Allow.
func notRouted(handler http.Handler, r *http.Request) *Problem {
	answer := &headerOnly{header: http.Header{}}
	handler.ServeHTTP(answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		allow := answer.header.Get("Allow")
		p := newProblem(http.StatusMethodNotAllowed, CodeMethod, "%s is not allowed here; allowed: %s", r.Method, allow)
		p.Allow = allow
		return p
	}
	return newProblem(http.StatusNotFound, CodeNotFound, "there is nothing at %s; %s lists what there is", r.URL.Path, specPath)
}

// headerOnly is a response writer that keeps the status and the headers.
type headerOnly struct {
	header http.Header
	status int
}

func (h *headerOnly) Header() http.Header         { return h.header }
func (h *headerOnly) WriteHeader(status int)      { h.status = status }
func (h *headerOnly) Write(b []byte) (int, error) { return len(b), nil }

// recovered turns a panic of a handler into a problem, or cuts the answer where it has begun.
func (s *Server) recovered(w *responseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) || r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone; net/http closes the connection without a log line
	}
	s.Log.WithFields(logrus.Fields{"method": r.Method, "path": r.URL.Path, "panic": fmt.Sprint(cause), "stack": string(debug.Stack())}).Error("http: request failed")
	if w.wrote {
		panic(http.ErrAbortHandler)
	}
	internal(nil).write(w)
}

// responseWriter gives each write its own deadline, so that a client that stops reading does not hold a handler, while an
// answer may last as long as it needs.
type responseWriter struct {
	http.ResponseWriter
	timeout time.Duration
	wrote   bool
}

// Unwrap lets [http.ResponseController] find the real one.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the answer.
func (w *responseWriter) WriteHeader(status int) {
	w.extend()
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the answer, in pieces that each have their own deadline, so that a large answer over a slow link is
// not taken for a stalled one.
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

// extend moves the deadline of writing. A writer that has none, such as a test's recorder, cannot block either.
func (w *responseWriter) extend() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout))
}

// setReadDeadline sets the deadline of reading the body, see extend for writers that have none.
func (w *responseWriter) setReadDeadline(t time.Time) {
	_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

// plainProblems is a huma transformer: it turns huma's own errors, which stem from parameters, into problems of ours.
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
		errs[i] = FieldError{Location: e.Location, Message: cmp.Or(clearer[e.Message], e.Message)}
	}
	p := newProblem(model.Status, CodeInvalid, "%s", model.Detail)
	if len(errs) > 0 {
		p.Detail, p.Errors = joinErrors(errs), errs
	}
	return p, nil
}

// clearer says in the words of our own checks what huma finds wrong with parameters.
var clearer = map[string]string{
	"unknown query parameter": "is not a parameter of this operation",
	"invalid integer":         "must be a whole number",
	"invalid boolean":         "must be true or false",
}

// newErrorLog sends what net/http logs to our log, at debug level: it is about single clients. Who was refused in the handshake of
// TLS is told to an operator, up to handshakesAtOnce in a row and then handshakesPerSecond.
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

// Write logs one line.
func (w *errorWriter) Write(line []byte) (int, error) {
	level := logrus.DebugLevel
	if refusedByTLS(string(line)) && w.refused.Allow() {
		level = logrus.WarnLevel
	}
	w.log.Log(level, "http: "+strings.TrimPrefix(strings.TrimSpace(string(line)), "http: "))
	return len(line), nil
}

// refusedByTLS tells a client that was refused, or refuses us, from one that went away.
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
