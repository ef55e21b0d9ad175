// Package topology models the network: switches, their ports, the links that discovery has found, and host locations.
//
// A [Graph] takes facts (a switch connected, a port came up, a discovery frame arrived) and makes immutable [Snapshot]
// values of them. A snapshot answers which ports floods use and which port leads to another switch. [Hosts] tracks the
// locations of hosts. The package is pure: it does no I/O, starts no goroutine and reads no clock.
//
// # Links and ports
//
// A link joins two ports. One discovery frame in one direction is enough to create it. A port that is an end of a live
// link is transit, every other port is edge. A link that has lost one direction while the other is still heard is down
// (it cannot carry a conversation), but its ports stay transit and blocked, since frames there come from another
// switch.
//
// A link with an end on a disconnected switch is unverified: the switch goes on forwarding by its installed flows, so
// the link stays in the graph until there is evidence to the contrary.
//
// # Segments
//
// Where one port hears several peers, the ports that hear one another share a medium and form a segment: all of them
// are transit, each is one hop from every other, and each is attached to the segment on its own. A frame sent into the
// segment reaches all of its ports, so a switch with two ports in it uses one of them for floods.
//
// # Pseudonodes
//
// A segment is a node of the flood tree, like a LAN in a link-state protocol; so is a mesh of tunnels. Tunnel ports
// that carry every network obey split horizon: a frame from one is never flooded to another of the same switch. The
// switches joined by links between such ports form a mesh; each switch is attached to it by all its mesh ports at once,
// or not at all.
//
// # Flood tree
//
// For every set of links that some VLAN uses, floods follow one spanning tree over switches and pseudonodes:
//
//  1. Each tree starts at the lowest connected datapath id and grows breadth first over connected switches. A link
//     counts two steps, an attachment one. Ties: wire before tunnel before pseudonode, then the lowest parent, then its
//     lowest port. A switch joins a mesh only if it has a tunnel to each switch attached so far, since split horizon
//     relays nothing.
//  2. A switch that nothing else reaches joins its partial mesh nevertheless: where the fewest tunnels are missing to
//     those that flood to one another, or in a new group with an entry switch of the tree that does not use the mesh
//     otherwise. Floods between it and members of its group without a tunnel to it are lost: no rule could carry them.
//  3. Disconnected switches joined to one another form one component, since it is unknown what they do among
//     themselves. Trees and such components are joined by one link for each pair that is not joined yet. So a single
//     disconnected switch is a leaf, or joins what only it can join, and whatever it does cannot close a loop.
//
// A link that is not in the tree is blocked at both ends for floods; known unicast may still use it.
//
// # Known unicast
//
// [Snapshot.Next] follows the fewest hops, also over links that floods do not use, and from one mesh tunnel to another
// where a mesh is partial: split horizon is a rule for floods. On a segment every switch hears the frame; if several of
// them are equally near to the target by another path than the segment, each relays a copy. Links between exactly two
// ports have no such weakness.
package topology
