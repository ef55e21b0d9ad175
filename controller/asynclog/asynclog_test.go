package asynclog

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
)

// blockedWriter is a standard error that nobody reads until it is released.
type blockedWriter struct {
	release chan struct{}
	mu      sync.Mutex
	text    bytes.Buffer
}

func (w *blockedWriter) Write(b []byte) (int, error) {
	<-w.release
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func blockedLog() (*logrus.Logger, *blockedWriter) {
	w := &blockedWriter{release: make(chan struct{})}
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(&logrus.JSONFormatter{DisableTimestamp: true})
	return log, w
}

// Nobody who logs waits for a log that blocks. What it misses is counted, also if nothing is logged later.
func TestBlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, w := blockedLog()
		stop := Start(log)
		log.Info("first")
		synctest.Wait() // it is being written
		line := strings.Repeat("x", 1000)
		const all = 2 * maxQueued / 1000
		for range all {
			log.Info(line)
		}
		log.Info("left out")
		close(w.release)
		stop()
		text := w.text.String()
		n := strings.Count(text, line)
		if size := n * len(line); n == 0 || size > maxQueued {
			t.Errorf("%d bytes were queued", size)
		}
		if strings.Contains(text, "left out\"") {
			t.Error("a line that found the queue full is in the log")
		}
		if end := fmt.Sprintf(`"suppressed":%d}`+"\n", all+1-n); !strings.HasSuffix(text, end) {
			t.Errorf("the log ends with %q, want %q", text[len(text)-150:], end)
		}
	})
}

// What is logged last is written before the end, and lines that come later are not lost.
func TestStop(t *testing.T) {
	log, w := blockedLog()
	close(w.release)
	stop := Start(log)
	log.Info("last words")
	stop()
	log.Info("a late line")
	if got := w.text.String(); !strings.Contains(got, "last words") || !strings.Contains(got, "a late line") {
		t.Errorf("logged %q", got)
	}
}

// A log that stays blocked delays the end by a second and no more.
func TestStopOfBlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, w := blockedLog()
		stop := Start(log)
		log.Info("x")
		began := time.Now()
		stop()
		if took := time.Since(began); took != flushTimeout {
			t.Errorf("stopped after %s", took)
		}
		log.Info("nobody waits for this one either")
		close(w.release)
	})
}
