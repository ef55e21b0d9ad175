package datapath

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
)

// check is what liveness says after so long since epoch, when the switch was heard last.
func TestLiveness(t *testing.T) {
	t.Parallel()
	const never = -1
	for _, c := range []struct {
		name   string
		linked bool
		sent   time.Duration // of an echo request
		heard  time.Duration // since then, without an answer
		at     time.Duration // of the check
		want   string        // "echo", an error, or "" for nothing
	}{
		{"just heard", false, never, 0, echoAfter - 1, ""},
		{"silent", false, never, 0, echoAfter, "echo"},
		{"silent, with links", true, never, 0, echoAfter, "echo"},
		{"asked", false, echoAfter, 0, deadAfter - 1, ""},
		{"dead", false, echoAfter, 0, deadAfter, "nothing heard for 10s"},
		{"dead, with links", true, echoAfter, 0, deadAfter, "nothing heard for 10s"},
		{"asked late, as the controller stood still", false, time.Minute, 0, time.Minute + echoWithin - 1, ""},
		{"asked late, and dead", false, time.Minute, 0, time.Minute + echoWithin, "nothing heard"},
		{"anything heard will do", false, echoAfter, 6 * time.Second, 9 * time.Second, ""},
		{"and begins a silence", false, echoAfter, 6 * time.Second, 11 * time.Second, "echo"},
		{"heard on a link, but not answered", true, echoAfter, 7 * time.Second, echoAfter + echoWithin - 1, ""},
		{
			"for too long", true, echoAfter, 7 * time.Second, echoAfter + echoWithin,
			"heard, and has answered nothing for 5s",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, out := liveness{heardAt: epoch}, apps.Output{}
			if c.sent != never {
				l.sendEcho(epoch.Add(c.sent), &out)
			}
			if c.heard > 0 {
				l.heardAt = epoch.Add(c.heard)
			}
			now := epoch.Add(c.at)
			echo, err := l.check(now, c.linked)
			got := ""
			switch {
			case err != nil:
				got = err.Error()
			case echo:
				got = "echo"
			}
			if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if due := !now.Before(l.deadline(c.linked)); due != (got != "") {
				t.Errorf("the deadline is %s, at %s", l.deadline(c.linked).Sub(epoch), c.at)
			}
		})
	}
}

func TestEchoXids(t *testing.T) {
	t.Parallel()
	l, out := liveness{}, apps.Output{Xid: 41}
	if l.reply(0) {
		t.Error("a reply before any request")
	}
	l.sendEcho(epoch, &out)
	if out.Xid != 42 || l.reply(41) || !l.reply(42) || l.reply(42) {
		t.Errorf("xid %d is not answered once", out.Xid)
	}
	l.sendEcho(epoch, &out)
	l.waive()
	if l.outstanding(true) || l.reply(43) {
		t.Error("waived, and still awaited")
	}
}
