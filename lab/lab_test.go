package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// normal makes a bridge a plain switch, so that the lab is tested without a controller.
func normal(h *Host, name string) *Bridge {
	b := h.AddBridge(name, BridgeOptions{})
	b.AddFlow("actions=NORMAL")
	return b
}

func reach(t *testing.T, from *VM, to string, opts ...PingOption) {
	t.Helper()
	if r := from.Ping(to, opts...); !r.AllReceived() {
		t.Errorf("%s to %s: %v\n%s", from.Name, to, r, r.Output)
	}
}

func noReach(t *testing.T, from *VM, to string) {
	t.Helper()
	if r := from.Ping(to, Count(2), Timeout(200*time.Millisecond)); !r.NoneReceived() {
		t.Errorf("%s to %s: %v, want no answer", from.Name, to, r)
	}
}

// TestTunnels: pings cross each type of tunnel, and the underlay shows the encapsulation with its key.
func TestTunnels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, key, flow, want string
	}{
		{"vxlan", "flow", "set_field:5010->tun_id", "vni 5010"},
		{"geneve", "flow", "set_field:5010->tun_id", "vni 0x1392"},
		{"gre", "flow", "set_field:5010->tun_id", "key=0x1392"},
		{"vxlan", "42", "", "vni 42"},
		{"gre", "", "", "GREv0"},
	} {
		t.Run(c.kind+c.key, func(t *testing.T) {
			t.Parallel()
			l := Start(t)
			a, b := normal(l.AddHost("host1"), "br0"), normal(l.AddHost("host2"), "br0")
			vm1 := a.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24"}})
			b.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24"}})
			l.Tunnel(a, b, "tun0", TunnelOptions{Type: c.kind, Key: c.key})
			if c.flow != "" {
				for _, br := range []*Bridge{a, b} {
					br.AddFlow("priority=40000,in_port=" + vifOf(br) + ",actions=" + c.flow + ",output:tun0")
					br.AddFlow("priority=40000,in_port=tun0,tun_id=5010,actions=output:" + vifOf(br))
				}
			}
			seen := l.Fabric().Capture("underlay", "")
			reach(t, vm1, "10.0.3.2", Count(3))
			// Guests keep their full MTU inside the tunnel.
			reach(t, vm1, "10.0.3.2", Count(1), Size(1472))
			seen.Stop()
			found := 0
			for _, line := range seen.Lines() {
				if strings.Contains(line, c.want) && strings.Contains(line, "10.0.3.1 > 10.0.3.2") {
					found++
				}
			}
			if found < 3 {
				t.Errorf("underlay shows %d requests with %q:\n%s", found, c.want, strings.Join(seen.Lines(), "\n"))
			}
		})
	}
}

func vifOf(b *Bridge) string {
	if b.Host.Name == "host1" {
		return "vif1"
	}
	return "vif2"
}

// TestKeylessGRECarriesTags: a GRE port without key is a trunk for 802.1Q frames.
func TestKeylessGRECarriesTags(t *testing.T) {
	t.Parallel()
	l := Start(t)
	a, b := l.AddHost("host1").AddBridge("br0", BridgeOptions{}), l.AddHost("host2").AddBridge("br0", BridgeOptions{})
	vm1 := a.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24"}})
	b.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24"}})
	l.Tunnel(a, b, "gre0", TunnelOptions{Type: "gre"})
	for _, br := range []*Bridge{a, b} {
		br.AddFlow("in_port=" + vifOf(br) + ",actions=push_vlan:0x8100,set_field:4106->vlan_vid,output:gre0")
		br.AddFlow("in_port=gre0,dl_vlan=10,actions=pop_vlan,output:" + vifOf(br))
	}
	seen := l.Fabric().Capture("underlay", "proto gre")
	reach(t, vm1, "10.0.3.2", Size(1472))
	seen.Stop()
	if text := strings.Join(seen.Lines(), "\n"); !strings.Contains(text, "vlan 10") {
		t.Errorf("no VLAN tag inside GRE:\n%s", text)
	}
}

// TestSingleHost: guests on pairs of links and on internal ports, TCP, silence, captures, raw frames, one bridge.
func TestSingleHost(t *testing.T) {
	t.Parallel()
	l := Start(t)
	begun := time.Now()
	h := l.AddHost("host1")
	hostTime := time.Since(begun)
	br := normal(h, "br0")
	begun = time.Now()
	vm1 := br.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24", "fd00::1/64"}})
	vmTime := time.Since(begun)
	vm2 := br.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24", "fd00::2/64"}, MAC: "52:54:00:00:00:02"})
	vm3 := br.AddVM("vm3", VMOptions{Addrs: []string{"10.0.3.3/24"}, Internal: true})
	vm4 := br.AddVM("vm4", VMOptions{Addrs: []string{"10.0.3.4/24"}, Internal: true})
	t.Logf("host %v, guest %v", hostTime, vmTime)

	reach(t, vm1, "10.0.3.2")
	reach(t, vm1, "fd00::2")
	reach(t, vm1, "10.0.3.3")
	reach(t, vm3, "10.0.3.4")
	r := vm4.Ping("10.0.3.1", Count(4), TOS(0x48), Identifier(4242))
	if !r.AllReceived() || len(r.RTTs) != 4 || r.RTTs[4] <= 0 {
		t.Errorf("vm4 to vm1: %v, round trips %v", r, r.RTTs)
	}

	t.Run("tcp", func(t *testing.T) {
		// A megabyte each way, so that checksums and segmentation of both kinds of port count.
		for i, pair := range [][2]*VM{{vm1, vm2}, {vm3, vm2}, {vm1, vm3}} {
			address := fmt.Sprintf("%s:%d", pair[1].IP(), 7000+i)
			listener, err := pair[1].Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer listener.Close()
				if conn, err := listener.Accept(); err == nil {
					_, _ = io.Copy(conn, conn)
					conn.Close()
				}
			}()
			if err := echoed(pair[0], address); err != nil {
				t.Errorf("%s to %s: %v", pair[0].Name, pair[1].Name, err)
			}
		}
	})
	t.Run("silent", func(t *testing.T) {
		vm2.SetSilent(true)
		noReach(t, vm1, "10.0.3.2")
		vm2.SetSilent(false)
		reach(t, vm1, "10.0.3.2")
	})
	t.Run("down", func(t *testing.T) {
		vm2.SetUp(false)
		if !l.Eventually(3*time.Second,
			func() bool { return strings.Contains(h.Ofctl("dump-ports-desc", "br0"), "LINK_DOWN") }) {
			t.Errorf("port of a guest that is down has its link up:\n%s", h.Ofctl("dump-ports-desc", "br0"))
		}
		noReach(t, vm1, "10.0.3.2")
		vm2.SetUp(true)
		if !vm1.WaitReach("10.0.3.2", 5*time.Second) {
			t.Error("vm2 does not come back")
		}
	})
	t.Run("raw", func(t *testing.T) {
		seen := vm2.Capture("ether proto 0x88b5 and not vlan")
		sent := append([]byte{0x52, 0x54, 0, 0, 0, 2, 2, 0, 0, 0, 0, 9, 0x81, 0, 0x60, 7, 0x88, 0xb5},
			bytes.Repeat([]byte{0xee}, 46)...)
		tagged := vm2.Capture("vlan 7")
		vm1.SendRaw(sent)
		if !tagged.Wait(1, 3*time.Second) {
			t.Fatal("the frame did not arrive")
		}
		frames := tagged.Stop()
		if len(frames) != 1 || !bytes.Equal(frames[0].Data, sent) {
			t.Errorf("captured %x, sent %x", frames, sent)
		}
		if others := seen.Stop(); len(others) != 0 {
			t.Errorf("the filter for untagged frames took %d frames", len(others))
		}
		announced := vm2.Capture("arp")
		vm1.Announce()
		if !announced.Wait(1, 3*time.Second) || !bytes.Contains(announced.Stop()[0].Data, []byte{10, 0, 3, 1}) {
			t.Error("the announcement did not arrive")
		}
		announced.Stop()
	})
	t.Run("running ping", func(t *testing.T) {
		run := vm1.StartPing("10.0.3.2", Count(1000), Interval(10*time.Millisecond))
		under := l.Eventually(5*time.Second, func() bool { return run.Answered() >= 3 })
		if r := run.Stop(); !under || !r.AllReceived() || r.Sent == 1000 {
			t.Errorf("%v", r)
		}
	})
	t.Run("flows", func(t *testing.T) {
		br.AddFlow("table=3,cookie=0xabc,priority=7,in_port=1,idle_timeout=300," +
			"ip,nw_dst=10.0.0.0/8,actions=output:2,output:3")
		flows := br.Flows()
		last := flows[len(flows)-1]
		if last.Table != 3 || last.Cookie != 0xabc || last.Priority != 7 ||
			last.Match != "ip,in_port=1,nw_dst=10.0.0.0/8" ||
			last.Actions != "output:2,output:3" {
			t.Errorf("%+v", last)
		}
		want := []string{
			"cookie=0x0, table=0, actions=NORMAL",
			"cookie=0xabc, table=3, idle_timeout=300, " +
				"priority=7,ip,in_port=1,nw_dst=10.0.0.0/8 actions=output:2,output:3",
		}
		if got := br.DumpFlows(); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if flows[0].Packets == 0 || flows[0].Age <= 0 {
			t.Errorf("%+v", flows[0])
		}
		h.Ofctl("add-group", "br0", "group_id=5,type=all,bucket=output:1,bucket=output:2")
		if got := br.DumpGroups(); len(got) != 1 || !strings.HasPrefix(got[0], "group_id=5,type=all") {
			t.Errorf("%q", got)
		}
		h.Ofctl("add-meter", "br0", "meter=9,pktps,band=type=drop,rate=100")
		if got := br.DumpMeters(); len(got) != 1 || got[0] != "meter=9 pktps bands= type=drop rate=100" {
			t.Errorf("%q", got)
		}
	})
	t.Run("restart", func(t *testing.T) {
		for _, restart := range []func(){h.RestartVswitchd, func() { h.KillVswitchd(); h.StartVswitchd() }} {
			restart()
			br.AddFlow("actions=NORMAL")
			for _, dst := range []string{"10.0.3.2", "10.0.3.3", "10.0.3.4"} {
				if !vm1.WaitReach(dst, 5*time.Second) {
					t.Errorf("vm1 does not reach %s after a restart of ovs-vswitchd", dst)
				}
			}
		}
		for _, restart := range []func(){h.RestartOVSDB, func() { h.KillOVSDB(); h.StartOVSDB() }} {
			restart()
			for _, dst := range []string{"10.0.3.2", "10.0.3.3"} {
				if !vm1.WaitReach(dst, 5*time.Second) {
					t.Errorf("vm1 does not reach %s after a restart of ovsdb-server", dst)
				}
			}
		}
		if !strings.Contains(h.Vsctl("show"), "vif2") {
			t.Error("OVSDB lost its content")
		}
	})
}

// echoed sends a megabyte to an echo server and compares what comes back.
func echoed(from *VM, address string) error {
	conn, err := from.Dial("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { _, _ = conn.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errors.New("other bytes came back")
	}
	return nil
}

// TestWiresAndMoves: two hosts joined by a wire, a patch pair, a guest that moves, cuts of wires and networks.
func TestWiresAndMoves(t *testing.T) {
	t.Parallel()
	l := Start(t)
	h1, h2 := l.AddHost("host1"), l.AddHost("host2")
	a, b := normal(h1, "br0"), normal(h2, "br0")
	c := normal(h1, "br1")
	w := l.Wire(a, "w0", b, "w0")
	l.Patch(a, "p0", c, "p1")
	vm1 := a.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24"}})
	vm2 := b.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24"}})
	vm3 := c.AddVM("vm3", VMOptions{Addrs: []string{"10.0.3.3/24"}})
	reach(t, vm1, "10.0.3.2")
	reach(t, vm3, "10.0.3.2")
	w.Cut()
	noReach(t, vm1, "10.0.3.2")
	w.Heal()
	if !vm1.WaitReach("10.0.3.2", 5*time.Second) {
		t.Error("the wire does not heal")
	}
	vm2.Move(a, "vif9")
	w.Cut()
	vm2.Announce()
	if !vm1.WaitReach("10.0.3.2", 5*time.Second) {
		t.Error("vm2 is not reached where it moved to")
	}
	if a.DatapathID() == b.DatapathID() || len(a.DatapathID()) != 16 {
		t.Errorf("datapath ids %s and %s", a.DatapathID(), b.DatapathID())
	}
	if got := h1.Vsctl("get", "Bridge", "br0", "datapath_id"); got != `"`+a.DatapathID()+`"` {
		t.Errorf("OVS says datapath id %s, the lab %s", got, a.DatapathID())
	}
}

// TestControllerPaths: a host reaches the controller's address over TCP and over the unix socket.
func TestControllerPaths(t *testing.T) {
	t.Parallel()
	l := Start(t)
	h := l.AddHost("host1")
	tcp := h.AddBridge("br0", BridgeOptions{Controllers: []string{l.ControllerTarget()}})
	unix := h.AddBridge("br1", BridgeOptions{Controllers: []string{h.ControllerUnixTarget()}})
	peer := newPeer(t, l)
	for _, b := range []*Bridge{tcp, unix} {
		if !l.Eventually(5*time.Second, func() bool { return peer.seen(b.opts.DatapathID) }) {
			t.Errorf("%s does not connect", b)
		}
		if !l.Eventually(10*time.Second, b.Connected) {
			t.Errorf("OVSDB does not say that %s is connected", b)
		}
	}
	if r := h.Ping(l.ControllerIP(), Count(1)); !r.AllReceived() {
		t.Errorf("host to controller: %v", r)
	}
	listening := h.AddBridge("br2", BridgeOptions{Controllers: []string{"ptcp:6654:" + h.ManagementIP()}})
	conn, err := net.DialTimeout("tcp", h.ManagementIP()+":6654", 5*time.Second)
	if err != nil {
		t.Fatalf("%s does not listen: %v", listening, err)
	}
	conn.Close()
	h.SetManagement(false)
	if r := h.Ping(l.ControllerIP(), Count(1), Timeout(200*time.Millisecond)); r.Received > 0 {
		t.Error("the management network is not cut")
	}
	h.SetManagement(true)
	if !h.WaitReach(l.ControllerIP(), 5*time.Second) {
		t.Error("the management network does not heal")
	}
	tcp.DelController()
	if tcp.Connected() {
		t.Error("br0 is connected without a controller")
	}
	peer.forget()
	tcp.SetController(h.ControllerUnixTarget(), l.ControllerTarget())
	if !l.Eventually(5*time.Second, func() bool { return peer.seen(tcp.opts.DatapathID) }) {
		t.Error("br0 does not connect again")
	}
}

// TestDHCPAndRouter: a lease from dnsmasq, and an outer network behind address translation.
func TestDHCPAndRouter(t *testing.T) {
	t.Parallel()
	resolv, _ := os.ReadFile("/etc/resolv.conf")
	l := Start(t)
	br := normal(l.AddHost("host1"), "br0")
	server := br.AddVM("dhcp", VMOptions{Addrs: []string{"10.0.3.253/24"}})
	router := br.AddRouter("router", RouterOptions{
		Inside: VMOptions{Addrs: []string{"10.0.3.254/24"}}, Outside: "192.0.2.1/24", Outer: "192.0.2.2/24",
	})
	server.StartDHCPServer(DHCPServerOptions{Range: "10.0.3.100,10.0.3.110", Router: "10.0.3.254"})
	vm1 := br.AddVM("vm1", VMOptions{})
	lease, err := vm1.DHCP(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(lease.Addr, "10.0.3.10") || !strings.HasSuffix(lease.Addr, "/24") ||
		lease.Router != "10.0.3.254" {
		t.Errorf("lease %+v", lease)
	}
	seen := router.Outer.Capture("icmp")
	reach(t, vm1, "192.0.2.2")
	seen.Stop()
	if text := strings.Join(seen.Lines(), "\n"); !strings.Contains(text, "192.0.2.1 > 192.0.2.2") ||
		strings.Contains(text, "10.0.3.") {
		t.Errorf("the outer network sees:\n%s", text)
	}
	if after, _ := os.ReadFile("/etc/resolv.conf"); !bytes.Equal(resolv, after) {
		t.Error("/etc/resolv.conf was changed")
	}
	mute := br.AddVM("vm2", VMOptions{})
	br.DelFlows()
	if _, err := mute.DHCP(time.Second); err == nil {
		t.Error("a lease without a network")
	}
}

// leftovers of a lab.
func leftovers(t *testing.T, name string) []string {
	t.Helper()
	found, err := Leftovers(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDestroyLeavesNothing also shows that two labs of one shape do not touch each other.
func TestDestroyLeavesNothing(t *testing.T) {
	t.Parallel()
	build := func(l *Lab) *VM {
		br := normal(l.AddHost("host1"), "br0")
		vm1 := br.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24"}})
		br.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24"}, Internal: true})
		br.Host.UnderlayIP()
		return vm1
	}
	kept := Start(t)
	vm1 := build(kept)
	gone, err := New(NameFor(t)+"b", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Try(func() { build(gone).Spawn("sleeper", "sleep", "1000") }); err != nil {
		t.Fatal(err)
	}
	if kept.ControllerIP() == gone.ControllerIP() {
		t.Error("two labs share a management network")
	}
	// As "ip netns add" leaves it when it is interrupted before the mount.
	if err := os.WriteFile(namespaceDir+prefix(gone.Name)+"half", nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if found := leftovers(t, gone.Name); len(found) < 7 {
		t.Fatalf("the search finds too little: %q", found)
	}
	if err := gone.Destroy(); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, gone.Name); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	reach(t, vm1, "10.0.3.2")
	if err := Destroy(gone.Name); err != nil {
		t.Errorf("destroying nothing: %v", err)
	}
}

// TestCrashRecovery: a process that makes a lab and is killed leaves a lab that the next run of the same name, and
// Sweep, remove.
func TestCrashRecovery(t *testing.T) {
	if name := os.Getenv("LAB_TEST_CRASH"); name != "" {
		l, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		normal(l.AddHost("host1"), "br0").AddVM("vm1", VMOptions{}).Spawn("sleeper", "sleep", "1000")
		fmt.Println("lab is up")
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or the test is
		return
	}
	Start(t) // for its checks
	for _, recover := range []string{"new", "sweep"} {
		name := NameFor(t) + recover
		child := exec.Command(os.Args[0], "-test.run=^TestCrashRecovery$")
		child.Env = append(os.Environ(), "LAB_TEST_CRASH="+name)
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, 9)
		if _, err := out.Read(said); err != nil || string(said) != "lab is up" {
			t.Fatalf("%q %v", said, err)
		}
		if found := leftovers(t, name); len(found) < 5 {
			t.Fatalf("the search finds too little: %q", found)
		}
		if _, err := New(name, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a lab whose owner lives was taken: %v", err)
		}
		if swept, err := Sweep(); err != nil || slices.Contains(swept, name) {
			t.Errorf("a lab whose owner lives was swept: %v %v", swept, err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		if recover == "new" {
			l, err := New(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if left := leftovers(t, name); len(left) != 3 { // the new one's fabric, link and directory
				t.Errorf("beside the new lab there is: %q", left)
			}
			if err := l.Destroy(); err != nil {
				t.Error(err)
			}
		} else if swept, err := Sweep(); err != nil || !slices.Contains(swept, name) {
			t.Errorf("swept %v %v", swept, err)
		}
		if left := leftovers(t, name); len(left) > 0 {
			t.Errorf("after %s there is: %q", recover, left)
		}
	}
}

// TestForeignProcessSurvives: a recorded number that now belongs to another process is not killed.
func TestForeignProcessSurvives(t *testing.T) {
	other := exec.Command("sleep", "100")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	record := recordOf(other.Process.Pid, "impostor")
	if !record.alive() {
		t.Error("a running process is not alive")
	}
	record.Start--
	if err := killAll([]processRecord{record}, time.Second); err != nil {
		t.Error(err)
	}
	record.Start++
	if !record.alive() {
		t.Error("a process with another start time was killed")
	}
	if err := killAll([]processRecord{record}, time.Second); err != nil || record.alive() {
		t.Errorf("the recorded process was not killed: %v", err)
	}
}

// TestFailureBecomesError: outside of tests a failing step is an error that says what failed.
func TestFailureBecomesError(t *testing.T) {
	t.Parallel()
	l := Start(t)
	err := l.Try(func() {
		h := l.AddHost("host1")
		h.AddBridge("br0", BridgeOptions{})
		h.Bridge("br0").DelPort("absent")
		t.Error("the script went on")
	})
	if err == nil || !strings.Contains(err.Error(), "no port named absent") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"host1", "Host", "a_b", ""} {
		if err := l.Try(func() { l.AddHost(name) }); err == nil {
			t.Errorf("host name %q was accepted", name)
		}
	}
	if _, err := New("a-b", Options{}); err == nil {
		t.Error("a lab name with a hyphen was accepted")
	}
	if dump := l.Dump(); !strings.Contains(dump, "host1 br0 flows") || !strings.Contains(dump, "ovs-vswitchd log") {
		t.Errorf("dump:\n%s", dump)
	}
}

// TestPing: what is counted as reply, duplicate and error.
func TestPing(t *testing.T) {
	t.Parallel()
	l := Start(t)
	br := l.AddHost("host1").AddBridge("br0", BridgeOptions{})
	vm1 := br.AddVM("vm1", VMOptions{Addrs: []string{"10.0.3.1/24"}})
	vm2 := br.AddVM("vm2", VMOptions{Addrs: []string{"10.0.3.2/24"}})
	// Every reply arrives twice.
	br.AddFlow("priority=1,actions=NORMAL")
	br.AddFlow("priority=2,icmp,icmp_type=0,actions=output:vif1,output:vif1")
	r := vm1.Ping("10.0.3.2", Count(4), Interval(10*time.Millisecond))
	if r.Sent != 4 || r.Received != 4 || r.Duplicates != 4 || len(r.RTTs) != 4 || r.AllReceived() || r.NoneReceived() {
		t.Errorf("doubled replies: %v\n%s", r, r.Output)
	}
	br.DelFlows("--strict", "priority=2,icmp,icmp_type=0")
	// The switch's cache follows a moment later.
	if !Eventually(10*time.Second, func() bool { return vm1.Ping("10.0.3.2", Count(1)).AllReceived() }) {
		t.Error("replies are still doubled")
	}
	seen := vm2.Capture("icmp")
	r = vm1.Ping("10.0.3.2", Count(2), TOS(0x48), Identifier(4242), Size(100))
	if !r.AllReceived() || r.RTTs[2] <= 0 || r.RTTs[2] > time.Second || len(r.Lost) > 0 {
		t.Errorf("%v, round trips %v", r, r.RTTs)
	}
	seen.Stop()
	for _, want := range []string{"tos 0x48", "echo request, id 4242, seq 2", "length 128"} {
		if !strings.Contains(strings.Join(seen.Lines(), "\n"), want) {
			t.Errorf("the capture lacks %q:\n%s", want, strings.Join(seen.Lines(), "\n"))
		}
	}
	// Nobody answers ARP for .9: the kernel says so after 3 s.
	vm2.SetSilent(true)
	if r := vm1.Ping("10.0.3.2", Count(2), Timeout(0)); len(r.Lost) != 2 || !r.Lost[0].Before(r.Lost[1]) {
		t.Errorf("a silent guest: %v, lost %v", r, r.Lost)
	}
	if r := vm1.Ping("10.0.3.9", Count(1), Timeout(5*time.Second)); !r.NoneReceived() || r.Errors != 1 {
		t.Errorf("absent address: %v\n%s", r, r.Output)
	}
	if r := vm1.Ping("192.0.2.1", Count(1), Timeout(0)); !r.NoneReceived() || r.Errors != 1 ||
		!strings.Contains(r.Output, "unreachable") {
		t.Errorf("no route: %v\n%s", r, r.Output)
	}
	if r := vm1.Ping("nonsense"); r.Err == nil || r.AllReceived() || r.NoneReceived() {
		t.Errorf("no address: %v", r)
	}
	if r := vm1.Ping("10.0.3.2", Size(1473), Count(1), Timeout(0)); r.Errors != 1 {
		t.Errorf("longer than the MTU: %v\n%s", r, r.Output)
	}
}

func TestReadPcap(t *testing.T) {
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, make([]byte, 16)...)
	file = binary.LittleEndian.AppendUint32(file, 1)
	for _, n := range []uint32{7, 500000, 3, 3} {
		file = binary.LittleEndian.AppendUint32(file, n)
	}
	file = append(file, 1, 2, 3)
	for _, c := range []struct {
		data []byte
		want int
	}{
		{file, 1},
		{file[:len(file)-1], 0},
		{file[:30], 0},
		{file[:10], 0},
		{append(slices.Clone(file), file[24:]...), 2},
	} {
		if got, err := readPcap(c.data); err != nil || len(got) != c.want {
			t.Errorf("%d bytes: %v %v, want %d frames", len(c.data), got, err, c.want)
		}
	}
	frames, _ := readPcap(file)
	if !bytes.Equal(frames[0].Data, []byte{1, 2, 3}) || !frames[0].Time.Equal(time.Unix(7, 500_000_000)) {
		t.Errorf("%+v", frames)
	}
	if _, err := readPcap(make([]byte, 100)); err == nil {
		t.Error("garbage was read")
	}
}
