// Command ancestor is a learning switch on contiv's ofnet/ofctrl, the way its users write one. The load harness
// measures eosin against it. It is a module of its own: ofctrl cannot be linked beside the libOpenflow and logrus of
// today.
package main

import (
	"net"
	"os"
	"sync"

	log "github.com/Sirupsen/logrus"
	"github.com/contiv/libOpenflow/openflow13"
	"github.com/contiv/ofnet/ofctrl"
)

// app learns where addresses are, one table for each switch.
type app struct {
	mu    sync.Mutex
	ports map[*ofctrl.OFSwitch]map[string]uint32
}

func (a *app) SwitchConnected(sw *ofctrl.OFSwitch) {
	a.mu.Lock()
	a.ports[sw] = map[string]uint32{}
	a.mu.Unlock()
	miss, err := sw.DefaultTable().NewFlow(ofctrl.FlowMatch{Priority: 0})
	if err != nil {
		log.Errorf("table-miss flow: %v", err)
		return
	}
	if err := miss.Next(sw.SendToController()); err != nil {
		log.Errorf("table-miss flow: %v", err)
	}
}

func (a *app) SwitchDisconnected(sw *ofctrl.OFSwitch) {
	a.mu.Lock()
	delete(a.ports, sw)
	a.mu.Unlock()
}

func (a *app) MultipartReply(*ofctrl.OFSwitch, *openflow13.MultipartReply) {}

// PacketRcvd learns the source and, when the destination is known, installs the pair's flow and sends the frame on.
func (a *app) PacketRcvd(sw *ofctrl.OFSwitch, pkt *ofctrl.PacketIn) {
	in := inPort(pkt)
	if in == 0 {
		return
	}
	src, dst := pkt.Data.HWSrc, pkt.Data.HWDst
	a.mu.Lock()
	table := a.ports[sw]
	if table == nil {
		a.mu.Unlock()
		return
	}
	table[string(src)] = in
	to, known := table[string(dst)]
	a.mu.Unlock()
	if known {
		if err := install(sw, in, to, src, dst); err != nil {
			log.Debugf("flow: %v", err) // the flow is there already
		}
	} else {
		to = openflow13.P_FLOOD
	}
	out := openflow13.NewPacketOut()
	out.InPort = in
	out.AddAction(openflow13.NewActionOutput(to))
	out.Data = &pkt.Data
	sw.Send(out)
}

func install(sw *ofctrl.OFSwitch, in, to uint32, src, dst net.HardwareAddr) error {
	flow, err := sw.DefaultTable().NewFlow(ofctrl.FlowMatch{Priority: 100, InputPort: in, MacSa: &src, MacDa: &dst})
	if err != nil {
		return err
	}
	port, err := sw.OutputPort(to)
	if err != nil {
		return err
	}
	return flow.Next(port)
}

func inPort(pkt *ofctrl.PacketIn) uint32 {
	for _, f := range pkt.Match.Fields {
		if p, ok := f.Value.(*openflow13.InPortField); ok {
			return p.InPort
		}
	}
	return 0
}

func main() {
	log.SetLevel(log.ErrorLevel)
	a := &app{ports: map[*ofctrl.OFSwitch]map[string]uint32{}}
	ofctrl.NewController(a).Listen(os.Args[1])
}
