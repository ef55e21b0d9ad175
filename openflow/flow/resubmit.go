package flow

import "encoding/binary"

// nxResubmitTable is the subtype of NXAST_RESUBMIT_TABLE.
const nxResubmitTable = 14

// nxInPort is OFPP_IN_PORT in the 16 bits that the action has for a port: the frame's own in port.
const nxInPort = 0xfff8

// ResubmitTable goes on with the frame in table, with its in port unchanged (resubmit(,table)). In a packet-out it enters the
// pipeline behind the first table.
func (a Actions) ResubmitTable(table uint8) Actions {
	a = a.nicira(nxResubmitTable, 16)
	a = binary.BigEndian.AppendUint16(a, nxInPort)
	return append(a, table, 0, 0, 0)
}
