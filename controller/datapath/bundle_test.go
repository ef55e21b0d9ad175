package datapath

import (
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

func TestBundle(t *testing.T) {
	t.Parallel()
	var b bundle
	var out apps.Output
	sent := func() (c openflow.BundleControl) {
		t.Helper()
		if err := c.Decode(out.Wire); err != nil {
			t.Fatal(err)
		}
		out.Wire = nil
		return c
	}
	commitReply := func(id uint32) *openflow.BundleControl {
		return &openflow.BundleControl{ID: id, Type: openflow.BundleCommitReply}
	}
	for id := uint32(1); id <= 2; id++ { // each bundle has an id of its own
		b.open(&out)
		if c := sent(); c.Type != openflow.BundleOpenRequest || c.ID != id || c.Flags != bundleAtomicOrdered ||
			b.state != bundleOpen {
			t.Errorf("opened with %+v", c)
		}
		if b.committed(commitReply(id)) || !b.deadline.IsZero() {
			t.Error("committed before the commit was sent")
		}
		msg := openflow.AppendBarrierRequest(nil, 77)
		var add openflow.BundleAdd
		if err := add.Decode(b.add(nil, msg)); err != nil || add.ID != id || string(add.Message) != string(msg) {
			t.Errorf("added %+v, %v", add, err)
		}
		b.commit(epoch, &out)
		if c := sent(); c.Type != openflow.BundleCommitRequest || c.ID != id ||
			!b.deadline.Equal(epoch.Add(replyWithin)) {
			t.Errorf("committed with %+v, deadline %s", c, b.deadline.Sub(epoch))
		}
		for _, other := range []*openflow.BundleControl{
			commitReply(id + 1), {ID: id, Type: openflow.BundleOpenReply}, {ID: id, Type: openflow.BundleDiscardReply},
		} {
			if b.committed(other) {
				t.Errorf("%+v is taken for the reply to the commit", other)
			}
		}
		if !b.committed(commitReply(id)) {
			t.Error("the reply to the commit is not taken")
		}
		b.close()
	}
	b.open(&out)
	b.commit(epoch.Add(time.Second), &out)
	out.Wire = nil
	b.discard(&out)
	if c := sent(); c.Type != openflow.BundleDiscardRequest || c.ID != 3 || b.state != bundleNone ||
		!b.deadline.IsZero() || b.committed(commitReply(3)) {
		t.Errorf("discarded with %+v, %+v", c, b)
	}
}
