package oftest

import "github.com/eosin-sdn/eosin/openflow"

// multipart answers a multipart request (OpenFlow 1.3.5 section 7.3.5).
func (s *Switch) multipart(c *Session, xid uint32, m *openflow.MultipartRequest) *refusal {
	r := reply{c: c, xid: xid, typ: m.Type}
	if m.More {
		return badRequest(openflow.BadRequestMultipartBufferOverflow)
	}
	switch m.Type {
	case openflow.MultipartDesc:
		r.add(openflow.AppendSwitchDesc(nil, &s.o.Desc))
	case openflow.MultipartPortDesc:
		for _, no := range s.portNumbers() {
			d := s.ports[no].desc()
			r.add(openflow.AppendPortDesc(r.scratch[:0], &d))
		}
	case openflow.MultipartPortStats:
		if len(m.Body) != 8 {
			return badRequest(openflow.BadRequestBadLen)
		}
		want := openflow.PortNo(be.Uint32(m.Body)) // one that is not there gets an empty reply, as from OVS
		for _, no := range s.portNumbers() {
			if want == openflow.PortAny || want == no {
				r.add(openflow.AppendPortStats(r.scratch[:0], &s.ports[no].stats))
			}
		}
	case openflow.MultipartFlow, openflow.MultipartAggregate:
		no := decode(m.Body, func(q *openflow.FlowStatsRequest) *refusal { return s.flowStats(&r, q) })
		if no != nil {
			return no
		}
	case openflow.MultipartGroupDesc:
		for _, g := range s.groupDescs() {
			r.add(openflow.AppendGroupDesc(r.scratch[:0], &g))
		}
	case openflow.MultipartMeterConfig:
		if len(m.Body) != 8 {
			return badRequest(openflow.BadRequestBadLen)
		}
		want := be.Uint32(m.Body)
		if want != openflow.MeterAll && s.meters[want] == nil {
			return &refusal{openflow.ErrorTypeMeterModFailed, openflow.MeterModFailedUnknownMeter}
		}
		for _, mc := range s.meterConfigs() {
			if want == openflow.MeterAll || want == mc.ID {
				r.add(openflow.AppendMeterConfig(r.scratch[:0], &mc))
			}
		}
	default:
		return badRequest(openflow.BadRequestBadMultipart)
	}
	r.end()
	return nil
}

// flowStats answers a flow or aggregate request.
func (s *Switch) flowStats(r *reply, q *openflow.FlowStatsRequest) *refusal {
	match, no := canonical(q.Match)
	if no != nil {
		return no
	}
	all := q.TableID == openflow.TableAll
	if !all && int(q.TableID) >= s.o.Tables {
		return badRequest(openflow.BadRequestBadTableID)
	}
	f := filter{
		match: []byte(match), cookie: q.Cookie, cookieMask: q.CookieMask, outPort: q.OutPort, outGroup: q.OutGroup,
	}
	var packets, bytes uint64
	flows := s.selectFlows(q.TableID, all, &f)
	for _, e := range flows {
		packets, bytes = packets+e.packets, bytes+e.bytes
		if r.typ == openflow.MultipartFlow {
			st := e.stats(s.clock)
			r.scratch = openflow.AppendFlowStats(r.scratch[:0], &st)
			r.add(r.scratch)
		}
	}
	if r.typ == openflow.MultipartAggregate {
		b := be.AppendUint64(nil, packets)
		b = be.AppendUint64(b, bytes)
		b = be.AppendUint32(b, uint32(len(flows)))
		r.add(be.AppendUint32(b, 0))
	}
	return nil
}

// maxBody is how much fits into one part of a multipart reply.
const maxBody = openflow.MaxLen - 16

// reply collects entries and sends a part whenever one is full.
type reply struct {
	c       *Session
	xid     uint32
	typ     uint16
	body    []byte
	entries int
	scratch []byte
}

func (r *reply) add(entry []byte) {
	if limit := r.c.sw.faults.PartLen; len(r.body)+len(entry) > maxBody || limit > 0 && r.entries == limit {
		r.c.out = openflow.AppendMultipartReply(r.c.out, r.xid, r.typ, true, r.body)
		r.body, r.entries = r.body[:0], 0
	}
	r.body = append(r.body, entry...)
	r.entries++
}

func (r *reply) end() {
	r.c.out = openflow.AppendMultipartReply(r.c.out, r.xid, r.typ, false, r.body)
}
