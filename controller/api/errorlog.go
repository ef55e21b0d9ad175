package api

import (
	"log"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"
)

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
