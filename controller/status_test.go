package controller

import (
	"errors"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/config"
)

// Ready is false, with the reason, until the listeners are up, and while the last reload has failed.
func TestReady(t *testing.T) {
	s := &status{}
	s.reloaded(config.Default())
	want := func(text string) {
		t.Helper()
		b := &backend{status: s}
		if ok, reason := b.Ready(t.Context()); ok != (text == "") || !strings.Contains(reason, text) {
			t.Errorf("ready %v, %q; want %q", ok, reason, text)
		}
	}
	want("listeners are not up")
	s.start(nil)
	want("")
	s.reloadFailed(errors.New("eosin.yaml:3: no such network"))
	want("eosin.yaml:3: no such network")
	s.reloaded(config.Default())
	want("")
	s.stop()
	want("listeners are not up")
}
