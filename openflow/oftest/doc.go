// Package oftest is an OpenFlow 1.3 switch in memory, for tests and for load.
//
// A Switch holds ports, flow tables, groups, meters and bundles as Open vSwitch 3.1 does. A controller talks to it in
// one of two ways, on the same core:
//
//   - Open and Step: bytes in, bytes out, time as an argument; no goroutine, no connection.
//   - Serve or Connect: over any net.Conn, in real time.
//
// Frames are put through its pipeline with Inject; switches are joined with Wire. Dump gives the flows in the form of
// oftext.NormalizeFlows, so that they can be compared with those of a real bridge.
//
// It does not learn addresses: output to NORMAL floods. Meters are stored and drop nothing. Of a group that is not of
// type all only the first bucket is used. ct takes its zone as a number only, and there is no NAT. Flows expire only
// when Expire is called.
package oftest
