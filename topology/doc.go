// Package topology is the map of the network: switches, their ports, the links that discovery found between them, and
// where hosts are.
//
// A [Graph] takes facts (a switch connected, a port came up, a discovery frame arrived) and makes immutable [Snapshot]
// values of them. A snapshot answers where floods may go and which port leads to another switch. [Hosts] holds the places of
// hosts in components of more than one switch. Everything is pure: no input or output, no goroutine, no clock; the caller
// passes the time.
//
// # Links and ports
//
// A link joins two ports. One discovery frame in one direction is enough to create it. A port that is an end of a live link
// is transit, every other port is edge. A link one of whose directions was lost while the other is still heard is down (it
// cannot carry a conversation), but its ports stay transit and blocked, because what arrives there comes from another switch.
//
// A link with an end on a disconnected switch is unverified: the switch goes on forwarding by its last tables, so the link
// stays in the graph until somebody sees evidence of the contrary.
//
// # Segments
//
// Where one port hears several peers, the ports that hear one another share a medium, and are treated as one segment: all of
// them are transit, each is one hop from every other, and each is attached to the segment on its own. A frame sent into
// the segment reaches all of its ports, so a switch with two ports in it uses one of them for floods.
//
// # Mesh clouds
//
// Tunnel ports that carry every network obey split horizon: what came in on one is never flooded to another of the same
// switch. The switches joined by links whose two ends are such ports form a cloud; each switch is attached to it by all its
// ports in that cloud at once, or not at all.
//
// # Flood tree
//
// For every set of links that some VLAN uses, floods follow one spanning tree over switches, clouds and segments:
//
//  1. Each tree starts at the lowest connected datapath id and grows breadth first over connected switches. A link counts two
//     steps, an attachment one. Ties: wire before tunnel before cloud, then the lowest parent, then its lowest port. A
//     switch joins a cloud only if it has a tunnel to each switch attached so far, since split horizon relays nothing.
//  2. A switch that nothing else reaches enters its mesh nevertheless: where the fewest tunnels are missing to those that
//     flood to one another, or in a group of its own with a switch of the tree that does not use the mesh otherwise. Floods
//     between it and those of its group it has no tunnel to are lost: no rule could carry them.
//  3. Disconnected switches that are joined to one another are one blob, since nobody can tell what they do among themselves.
//     Trees and blobs are joined by one link for each pair that is not joined yet. So a lone disconnected switch is a leaf, or
//     holds together what only it joins, and whatever it does cannot close a loop.
//
// A link that is not in the tree is blocked at both ends for floods; known unicast may still use it.
//
// # Known unicast
//
// [Snapshot.Next] leads along the fewest hops, over links that floods do not use too, and from one mesh tunnel to another
// where a mesh is incomplete: split horizon is a rule for floods. On a segment, every switch hears the frame; if several of
// them are equally near to the target and have another way than the segment, each relays a copy. Links between exactly two
// ports have no such weakness.
package topology
