// Package ovsdb reads bridges from Open vSwitch's database (RFC 7047) and finds misconfigured ones: a [Session] is the
// connection to one server, a [Database] its replica, and [Check] computes the findings. It never writes to a database.
//
// The package is pure: bytes and the time are passed in. Everything that a server sends is validated and bounded here;
// github.com/ovn-kubernetes/libovsdb encodes the requests and decodes nothing.
package ovsdb
