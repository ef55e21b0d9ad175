// Package oftest is an OpenFlow 1.3 switch in memory, for tests and for load.
//
// A Switch holds ports, flow tables, groups, meters and bundles as Open
// vSwitch 3.1 does and answers a controller over any net.Conn (Serve). Frames
// are put through its pipeline with Inject; switches are joined with Wire.
// What it holds can be compared with a real bridge as text: Dump and
// oftext.NormalizeFlows give the same form.
//
// It does not forward by itself: output to NORMAL floods. Meters are stored
// and drop nothing. Of a group that is not of type all only the first bucket
// is used. ct takes its zone as a number only, and there is no NAT. Time passes only as Options.Now says, and flows expire
// only when Expire is called.
package oftest
