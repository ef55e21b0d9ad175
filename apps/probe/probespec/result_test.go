package probespec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
)

func TestVerdictOf(t *testing.T) {
	for _, c := range []struct {
		sent, received int
		want           Verdict
	}{{0, 0, Unknown}, {5, 5, Reachable}, {5, 0, Unreachable}, {5, 4, Partial}} {
		if got := VerdictOf(c.sent, c.received); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.received, c.sent, got, c.want)
		}
	}
}

func TestSummarize(t *testing.T) {
	r := Result{Sent: 4, Replies: []Reply{{1, 3}, {2, 1}, {3, 2}}}
	r.Summarize()
	if r.Received != 3 || r.Verdict != Partial || *r.RTT != (RTT{Min: 1, Avg: 2, Max: 3}) {
		t.Errorf("%+v %+v", r, r.RTT)
	}
	r.Sent, r.Replies = 1, nil
	r.Summarize()
	if r.Received != 0 || r.Verdict != Unreachable || r.RTT != nil {
		t.Errorf("without a reply: %+v", r)
	}
}

// TestResultJSON: lists are never null, and what is not known is null or left out as the contract says.
func TestResultJSON(t *testing.T) {
	r := NewResult(&Request{Source: "vm1", Destination: "vm2", Type: probe.ICMP})
	r.Loss = &Loss{Stage: NoReply, Reason: "no reply within 1s"}
	r.Size, r.Late = 56, 1
	got, err := json.Marshal(r)
	want := `{"source":"vm1","destination":"vm2","type":"icmp","color":0,"sent":0,"received":0,"verdict":"unknown",` +
		`"rtt_seconds":null,"replies":[],"loss":{"where":null,"stage":"no_reply","reason":"no reply within 1s","evidence":[]}}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	r.Control, r.Loss = Seconds(250*time.Microsecond), nil
	r.Sent, r.Replies = 1, []Reply{{1, Seconds(412 * time.Microsecond)}}
	r.Summarize()
	got, err = json.Marshal(r)
	want = `{"source":"vm1","destination":"vm2","type":"icmp","color":0,"sent":1,"received":1,"verdict":"reachable",` +
		`"rtt_seconds":{"min":0.000412,"avg":0.000412,"max":0.000412},` +
		`"replies":[{"seq":1,"rtt_seconds":0.000412}],"loss":null,"control_seconds":0.00025}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}
