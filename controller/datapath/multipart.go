package datapath

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Bounds of a multipart reply. The dump of 100,000 flows takes 9.2 MiB. A switch with more than about 87,000 hosts goes
// beyond.
const (
	maxReplyBytes = 16 << 20
	maxReplyParts = 10_000
)

// replyWithin is how long a switch may take for a whole multipart reply, and for the reply to any other request but an
// echo.
const replyWithin = 30 * time.Second

// errReplyTooLong says that a switch would not come to the end of a reply.
var errReplyTooLong = fmt.Errorf("multipart reply of more than %d MiB or %d parts", maxReplyBytes>>20, maxReplyParts)

type requestKind uint8

const (
	requestDesc requestKind = iota
	requestPorts
	requestMeters
	requestRestore // the dump of flows after the controller's start
	requestFlows   // the dump of an audit
	requestGroups
	requestPortStats
)

// multipartType is the type of the request and its reply.
func (k requestKind) multipartType() uint16 {
	return [...]uint16{
		requestDesc: openflow.MultipartDesc, requestPorts: openflow.MultipartPortDesc,
		requestMeters: openflow.MultipartMeterConfig, requestRestore: openflow.MultipartFlow,
		requestFlows: openflow.MultipartFlow, requestGroups: openflow.MultipartGroupDesc,
		requestPortStats: openflow.MultipartPortStats,
	}[k]
}

// multipart keeps the requests that are not answered in full, oldest first.
type multipart struct {
	requests []request
}

type request struct {
	xid      uint32
	kind     requestKind
	bytes    int // of the reply so far
	parts    int
	deadline time.Time
}

// send sends a request and remembers that its reply is expected.
func (mp *multipart) send(now time.Time, kind requestKind, out *apps.Output) {
	xid := nextXid(out)
	b := out.Wire
	switch kind {
	case requestDesc:
		b = openflow.AppendDescRequest(b, xid)
	case requestPorts:
		b = openflow.AppendPortDescRequest(b, xid)
	case requestMeters:
		b = openflow.AppendMeterConfigRequest(b, xid, openflow.MeterAll)
	case requestRestore, requestFlows:
		cookie, mask := flow.CookieMask()
		b = openflow.AppendFlowStatsRequest(b, xid, openflow.FlowStatsRequest{
			TableID: openflow.TableAll, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny,
			Cookie: cookie, CookieMask: mask,
		})
	case requestGroups:
		b = openflow.AppendGroupDescRequest(b, xid)
	case requestPortStats:
		b = openflow.AppendPortStatsRequest(b, xid, openflow.PortAny)
	}
	out.Wire = b
	mp.requests = append(mp.requests, request{xid: xid, kind: kind, deadline: now.Add(replyWithin)})
}

// outstanding reports whether a reply of one of the kinds is expected.
func (mp *multipart) outstanding(kinds ...requestKind) bool {
	for i := range mp.requests {
		if slices.Contains(kinds, mp.requests[i].kind) {
			return true
		}
	}
	return false
}

// receive takes one part of a reply. known is false if nobody has asked for it. The last part ends the request.
func (mp *multipart) receive(xid uint32, part *openflow.Multipart, size int) (kind requestKind, known bool, err error) {
	i := mp.index(xid)
	if i < 0 {
		return 0, false, nil
	}
	r := &mp.requests[i]
	if part.Type != r.kind.multipartType() {
		return 0, true, fmt.Errorf("%s in reply to a request for %s",
			openflow.MultipartName(part.Type), openflow.MultipartName(r.kind.multipartType()))
	}
	r.bytes += size
	r.parts++
	if r.bytes > maxReplyBytes || r.parts > maxReplyParts {
		return 0, true, errReplyTooLong
	}
	kind = r.kind
	if !part.More {
		mp.end(xid)
	}
	return kind, true, nil
}

// end ends a request that is answered in full, or with an error. known is false if there is none.
func (mp *multipart) end(xid uint32) (kind requestKind, known bool) {
	i := mp.index(xid)
	if i < 0 {
		return 0, false
	}
	kind = mp.requests[i].kind
	mp.requests = slices.Delete(mp.requests, i, i+1)
	return kind, true
}

func (mp *multipart) index(xid uint32) int {
	return slices.IndexFunc(mp.requests, func(r request) bool { return r.xid == xid })
}

// deadline is when the oldest request must be answered in full, zero if there is none.
func (mp *multipart) deadline() time.Time {
	if len(mp.requests) == 0 {
		return time.Time{}
	}
	return mp.requests[0].deadline
}
