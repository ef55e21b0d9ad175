package apps

import (
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Base does nothing on every event: an app embeds it and writes what it needs.
type Base struct{}

// SwitchConnected does nothing.
func (Base) SwitchConnected(time.Time, *Output) {}

// SwitchDisconnected does nothing.
func (Base) SwitchDisconnected(time.Time) {}

// PacketRcvd does nothing.
func (Base) PacketRcvd(time.Time, *Packet, *Output) {}

// MultipartReply does nothing.
func (Base) MultipartReply(time.Time, *openflow.FlowStats, *flow.Match, *Output) {}

// FlowRemoved does nothing.
func (Base) FlowRemoved(time.Time, *openflow.FlowRemoved, *flow.Match, *Output) {}

// Refresh does nothing.
func (Base) Refresh(time.Time, *Output) {}

// Tick does nothing.
func (Base) Tick(time.Time, *Output) {}
