// Package oftext writes matches, actions, flows and groups as ovs-ofctl does
// (ovs-ofctl -O OpenFlow13 --no-names), so that what a program installs, what
// the fake switch of oftest holds and what Open vSwitch dumps can be compared
// as text. What it does not know is written in hexadecimal, never left out.
package oftext
