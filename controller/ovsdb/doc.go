// Package ovsdb reads what Open vSwitch's database (RFC 7047) says of bridges and tells what is wrong with those of ours: a
// [Session] is the conversation with one server, a [Database] what was learned in it, and [Judge] the findings. Nothing is ever
// written to a database.
//
// The package is pure: bytes and the time are given to it. Whatever a server sends is bounded and checked here before anything
// else sees it; github.com/ovn-kubernetes/libovsdb makes the requests and decodes nothing.
package ovsdb
