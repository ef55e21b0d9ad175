// Package lab builds small networks of real Open vSwitch hosts in network
// namespaces, for the end-to-end tests and for the command "eosin lab".
//
// # What a lab is made of
//
//	root namespace                 the controller runs here
//	  eosin-mgmtN   100.64.N.1 ----+
//	eosin-<lab>-fabric             |  bridge "mgmt": OpenFlow between hosts and controller
//	  bridge mgmt  ----------------+--- mgmt0 of every host
//	  bridge underlay ----------------- ul0 of every host that has tunnels
//	eosin-<lab>-<host>             own ovsdb-server and ovs-vswitchd (userspace datapath)
//	  br0, br-phy, vif1 ...        br-phy holds the underlay address 172.30.0.I
//	eosin-<lab>-<vm>               a stand-in for a guest: eth0 is the other end of vifN
//
// All traffic stays in the namespaces; the root namespace gets one interface, whose /24 is chosen so that it overlaps
// with no route that is already there. Everything a lab makes is recorded in /run/eosin-lab/<lab>/state.json (below
// /dev/shm where /run is on disk) before or as it is made, so that [Destroy] and [Sweep] remove it completely from
// another process, also when its owner was killed.
//
// # How failures are reported
//
// A lab is a script: when one step fails, the rest has no meaning. Methods that
// build or must work therefore return no error but end the script: in a test
// (see [Start]) by Fatalf, elsewhere by a panic that [Lab.Try] turns into an error.
// Methods whose failure is a legitimate outcome (Exec, Ping, DHCP) return it.
//
// # How an end-to-end test looks
//
//	func TestSingleHost(t *testing.T) {
//		l := lab.Start(t)
//		ctl := l.StartController(binary, config) // ready when it returns
//		h := l.AddHost("host1")
//		br := h.AddBridge("br0", lab.BridgeOptions{Controllers: []string{l.ControllerTarget()}})
//		vm1 := br.AddVM("vm1", lab.VMOptions{Addrs: []string{"10.0.3.1/24"}})
//		vm2 := br.AddVM("vm2", lab.VMOptions{Addrs: []string{"10.0.3.2/24"}})
//		ctl.WaitSwitches(1)
//		seen := vm2.Capture("icmp")
//		if r := vm1.Ping("10.0.3.2", lab.Count(5)); !r.AllReceived() {
//			t.Errorf("vm1 to vm2: %v", r)
//		}
//		frames := seen.Stop()
//		...
//	}
//
// When such a test fails, Start's cleanup writes every bridge's ports, flows and
// groups, the tails of the ovs-vswitchd logs and of the controller's log, and each
// guest's addresses and neighbors into the test's output, then removes the lab.
// With EOSIN_LAB_KEEP=1 the lab of a failed test stays for inspection until the
// next test run sweeps it.
package lab
