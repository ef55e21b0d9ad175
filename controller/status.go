package controller

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/pki"
)

// status is the running config, and how the controller itself is.
type status struct {
	config   atomic.Pointer[config.Config]
	tls      atomic.Pointer[pki.Files] // nil without openflow.tls
	serving  atomic.Bool               // the listeners are up
	refused  atomic.Pointer[error]     // why the last reload failed; nil if it did not
	reloadAt atomic.Int64              // Unix seconds of the last successful one
}

// start notes that the listeners are up. files is nil without TLS.
func (s *status) start(files *pki.Files) {
	s.tls.Store(files)
	s.serving.Store(true)
}

func (s *status) stop() { s.serving.Store(false) }

func (s *status) reloaded(cfg *config.Config) {
	s.config.Store(cfg)
	s.refused.Store(nil)
	s.reloadAt.Store(time.Now().Unix())
}

func (s *status) reloadFailed(err error) { s.refused.Store(&err) }

// ready reports whether the controller serves by the config that it was given last, and if not, why.
func (s *status) ready() (ok bool, reason string) {
	if !s.serving.Load() {
		return false, "the OpenFlow listeners are not up"
	}
	if err := s.refused.Load(); err != nil {
		return false, fmt.Sprintf("the last reload was refused and the config before it stays: %v", *err)
	}
	return true, ""
}
