package api

import (
	"net/http"
	"time"
)

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
