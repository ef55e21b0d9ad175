package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	libovsdb "github.com/ovn-kubernetes/libovsdb/ovsdb"
)

var start = time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)

// golden are the messages of a real ovsdb-server 3.1: the answer to our request, and four changes.
func golden(t testing.TB) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/ovs-3.1-monitor.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

func newSession(t testing.TB) *Session {
	t.Helper()
	s, err := NewSession(start)
	if err != nil {
		t.Fatal(err)
	}
	s.TakeOut()
	return s
}

// summary is a bridge in few words.
func summary(bridges []Bridge) (list []string) {
	for _, b := range bridges {
		list = append(list, fmt.Sprintf("%s %s %q %s %s", b.Name, b.DatapathID, b.FailMode, b.Protocols, b.Controllers))
	}
	return list
}

// TestRequest holds the first request to the text that a real server was asked with.
func TestRequest(t *testing.T) {
	t.Parallel()
	s, err := NewSession(start)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"method":"monitor","params":["Open_vSwitch","eosin",` +
		`{"Bridge":{"columns":["name","datapath_id","fail_mode","protocols","controller"]},` +
		`"Controller":{"columns":["target"]}}],"id":1}`
	if got := string(s.TakeOut()); got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
	if s.TakeOut() != nil {
		t.Error("asked twice")
	}
}

// TestGolden follows a real server, whatever pieces its bytes come in.
func TestGolden(t *testing.T) {
	t.Parallel()
	want := [][]string{
		{
			`br0 0000000000000001 "secure" [OpenFlow10 OpenFlow13] [ssl:[2001:db8::1]:6654 tcp:192.0.2.1:6653]`,
			`br1 00000000000000a1 "" [] [unix:/run/x.sock]`,
		},
		{
			`br0 0000000000000001 "secure" [OpenFlow10 OpenFlow13] [ssl:[2001:db8::1]:6654 tcp:192.0.2.1:6653]`,
			`br1 00000000000000a1 "secure" [] [unix:/run/x.sock]`,
		},
		{
			`br0 0000000000000001 "secure" [OpenFlow10 OpenFlow13] [ssl:[2001:db8::1]:6654 tcp:192.0.2.1:6653]`,
			`br1 00000000000000a1 "secure" [] [tcp:192.0.2.9:6653]`,
		},
		{
			`br0 0000000000000001 "secure" [OpenFlow10] [ssl:[2001:db8::1]:6654 tcp:192.0.2.1:6653]`,
			`br1 00000000000000a1 "secure" [] [tcp:192.0.2.9:6653]`,
		},
		{`br1 00000000000000a1 "secure" [] [tcp:192.0.2.9:6653]`},
	}
	for _, size := range []int{1, 7, 64, 1 << 20} {
		s := newSession(t)
		for i, msg := range golden(t) {
			changed := false
			for piece := range slices.Chunk(msg, size) {
				c, err := s.Receive(start, piece)
				if err != nil {
					t.Fatalf("pieces of %d: message %d: %v", size, i, err)
				}
				changed = changed || c
			}
			if got := summary(s.Bridges()); !changed || !s.Ready() || !slices.Equal(got, want[i]) {
				t.Errorf("pieces of %d: after message %d (changed %v, ready %v):\n%s\nwant\n%s", size, i, changed,
					s.Ready(), strings.Join(got, "\n"), strings.Join(want[i], "\n"))
			}
		}
	}
}

// TestAgreesWithLibovsdb has libovsdb decode what a real server sends, and compares.
func TestAgreesWithLibovsdb(t *testing.T) {
	t.Parallel()
	var reply struct{ Result libovsdb.TableUpdates }
	if err := json.Unmarshal(golden(t)[0], &reply); err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	if _, err := s.Receive(start, golden(t)[0]); err != nil {
		t.Fatal(err)
	}
	list := func(v any) (l []string) {
		if set, ok := v.(libovsdb.OvsSet); ok {
			for _, item := range set.GoSet {
				l = append(l, fmt.Sprint(item))
			}
			return l
		}
		return []string{fmt.Sprint(v)}
	}
	if len(reply.Result["Bridge"]) != 2 {
		t.Fatalf("libovsdb sees %d bridges", len(reply.Result["Bridge"]))
	}
	for id, u := range reply.Result["Bridge"] {
		row, ok := s.db.bridges[id]
		theirs := *u.New
		if !ok || row.Name != theirs["name"] || row.DatapathID.String() != theirs["datapath_id"] ||
			!slices.Equal(list(theirs["protocols"]), row.Protocols) ||
			strings.Join(list(theirs["fail_mode"]), "") != row.FailMode {
			t.Errorf("row %s: %+v, libovsdb reads %+v", id, row, theirs)
		}
		var controllers []string
		for _, c := range list(theirs["controller"]) {
			controllers = append(controllers, strings.Trim(c, "{}"))
		}
		if !slices.Equal(controllers, row.controllers) {
			t.Errorf("row %s: controllers %q, libovsdb reads %q", id, row.controllers, controllers)
		}
	}
}

const someID = "11d9bdea-dc9a-492e-b10e-a56b42627f2b"

// reply is an answer to the first request with one row.
func reply(table, row string) string {
	return fmt.Sprintf(`{"id":1,"error":null,"result":{%q:{%q:%s}}}`, table, someID, row)
}

// TestHostile: whatever is not what a database sends ends the session with a reason, and takes no more memory than its
// bounds.
func TestHostile(t *testing.T) {
	t.Parallel()
	ready := `{"id":1,"result":{},"error":null}`
	rows := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%08x-dc9a-492e-b10e-a56b42627f2b":{"new":{"name":"b"}}`, i)
		}
		return `{"id":1,"result":{"Bridge":{` + b.String()[1:] + `}},"error":null}`
	}
	for _, c := range []struct{ name, sent, want string }{
		{"garbage", "\x00\x01\x02", "not a stream of JSON"},
		{"a banner", "SSH-2.0-OpenSSH_9.2\r\n", "not a stream of JSON"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n", "not a stream of JSON"},
		{"an array", "[1,2]", "not a stream of JSON"},
		{"broken JSON", `{"id":1,}`, "not a message"},
		{"wrong types", `{"id":1,"method":7}`, "not a message"},
		{"nothing", `{}`, "answer to nothing"},
		{"another id", `{"id":77,"result":{},"error":null}`, "answer to nothing"},
		{"the answer twice", ready + ready, "answer to nothing"},
		{"an echo's answer that was not asked for", ready + `{"id":2,"result":[],"error":null}`, "answer to nothing"},
		{"an error", `{"id":1,"result":null,"error":"unknown database"}`, `refuses: "unknown database"`},
		{"no result", `{"id":1}`, "table-updates"},
		{"a text as result", `{"id":1,"result":"x","error":null}`, "table-updates"},
		{"an unknown table", `{"id":1,"result":{"SSL":{}},"error":null}`, "not asked for"},
		{"rows that are none", `{"id":1,"result":{"Bridge":[1]},"error":null}`, "table Bridge"},
		{"a row's id", `{"id":1,"result":{"Bridge":{"x":{"new":{}}}},"error":null}`, "row"},
		{"a row that is null", reply("Bridge", "null"), "row"},
		{"columns that are none", reply("Bridge", `{"new":[]}`), "table Bridge"},
		{"an empty value", reply("Bridge", `{"new":{"name":[]}}`), "not a value"},
		{"a set without values", reply("Bridge", `{"new":{"fail_mode":["set"]}}`), "not a value"},
		{"a set of no list", reply("Bridge", `{"new":{"fail_mode":["set",7]}}`), "not a value"},
		{"a set of null", reply("Bridge", `{"new":{"fail_mode":["set",null]}}`), "not a value"},
		{"a number", reply("Bridge", `{"new":{"name":7}}`), "not a value"},
		{"null", reply("Bridge", `{"new":{"name":null}}`), "not a value"},
		{"two names", reply("Bridge", `{"new":{"name":["set",["a","b"]]}}`), "at most 1"},
		{"a long name", reply("Bridge", `{"new":{"name":"`+strings.Repeat("a", maxText+1)+`"}}`), "longer than"},
		{
			"many protocols",
			reply("Bridge", `{"new":{"protocols":["set",[`+strings.Repeat(`"x",`, maxProtocols)+`"x"]]}}`),
			"at most 16",
		},
		{"a reference without id", reply("Bridge", `{"new":{"controller":["uuid"]}}`), "not a reference"},
		{"a reference of numbers", reply("Bridge", `{"new":{"controller":["uuid",7]}}`), "not a reference"},
		{"a datapath id", reply("Bridge", `{"new":{"datapath_id":"xyz"}}`), "16 hex digits"},
		{"a target", reply("Controller", `{"new":{"target":["set",["a","b"]]}}`), "at most 1"},
		{"too many bridges", rows(maxBridges + 1), "more than 1024 bridges"},
		{"an update too early", `{"method":"update","id":null,"params":["eosin",{}]}`, "not asked for"},
		{"an update without parameters", ready + `{"method":"update","id":null,"params":[]}`, "not asked for"},
		{"an update of null", ready + `{"method":"update","id":null,"params":null}`, "not asked for"},
		{"an update of another", ready + `{"method":"update","id":null,"params":[null,{}]}`, "not asked for"},
		{"a large echo", `{"method":"echo","id":"x","params":["` + strings.Repeat("a", maxEcho) + `"]}`, "an echo of"},
		{"an echo without id", `{"method":"echo","params":[]}`, "an echo of"},
		{"a long message", `{"id":1,"result":"` + strings.Repeat("a", maxMessage), "longer than 1024 KiB"},
		{
			"a long message that ends", `{"id":1,"result":"` + strings.Repeat("a", maxMessage) + `"}`,
			"longer than 1024 KiB",
		},
		{"many values", `{"id":1,"result":[` + strings.Repeat("1,", maxValues), "more than 65536 values"},
		{"deep nesting", `{"id":` + strings.Repeat("[", maxDepth), "nested more than 32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			var err error
			for piece := range slices.Chunk([]byte(c.sent), 16<<10) {
				if _, err = s.Receive(start, piece); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes: %.200s", len(err.Error()), err)
			}
			if got := cap(s.framer.buf); got > 2*(maxMessage+16<<10) {
				t.Errorf("a buffer of %d bytes", got)
			}
		})
	}
}

// TestFits: as many bridges as are kept come in one message.
func TestFits(t *testing.T) {
	t.Parallel()
	tables := map[string]map[string]any{"Bridge": {}, "Controller": {}}
	for i := range maxBridges {
		var refs []any
		for j := range 2 {
			id := fmt.Sprintf("%08x-0000-4000-8000-%012x", i, j)
			refs = append(refs, []string{"uuid", id})
			target := map[string]string{"target": "ssl:[2001:db8:0:1:2:3:4:5]:6654"}
			tables["Controller"][id] = map[string]any{"new": target}
		}
		tables["Bridge"][fmt.Sprintf("%08x-dc9a-492e-b10e-a56b42627f2b", i)] = map[string]any{"new": map[string]any{
			"name": fmt.Sprintf("bridge-%d", i), "datapath_id": fmt.Sprintf("%016x", i+1), "fail_mode": "standalone",
			"protocols":  []any{"set", []string{"OpenFlow10", "OpenFlow13", "OpenFlow15"}},
			"controller": []any{"set", refs},
		}}
	}
	text, err := json.Marshal(map[string]any{"id": 1, "result": tables, "error": nil})
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	if _, err := s.Receive(start, text); err != nil {
		t.Fatalf("%d bytes: %v", len(text), err)
	}
	if got := s.Bridges(); len(got) != maxBridges || len(got[0].Controllers) != 2 {
		t.Errorf("%d bridges, the first %+v", len(got), got[0])
	}
}

// TestEcho: the server's echo is answered with what it holds, also before the first answer.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	const requests = `{"id":"echo","method":"echo","params":[]} {"id":[1],"method":"echo","params":["x"]}`
	if _, err := s.Receive(start, []byte(requests)); err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"echo","result":[],"error":null}{"id":[1],"result":["x"],"error":null}`
	if got := string(s.TakeOut()); got != want {
		t.Errorf("answered %s", got)
	}
	if s.Messages() != 2 || s.Ready() {
		t.Errorf("%d messages, ready %v", s.Messages(), s.Ready())
	}
}

// TestTimes: a server has a time for everything.
func TestTimes(t *testing.T) {
	t.Parallel()
	after := func(d time.Duration) time.Time { return start.Add(d) }
	t.Run("no answer", func(t *testing.T) {
		s := newSession(t)
		if _, err := s.Receive(after(9*time.Second), []byte(`{"id":"echo","method":"echo","params":[]}`)); err != nil {
			t.Fatal(err)
		}
		if err := s.Tick(after(9 * time.Second)); err != nil || !s.Wake().Equal(after(replyTimeout)) {
			t.Errorf("after 9 s: %v, wake %v", err, s.Wake())
		}
		if err := s.Tick(after(replyTimeout)); !errors.Is(err, errNoAnswer) {
			t.Errorf("after 10 s: %v", err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		s := newSession(t)
		if _, err := s.Receive(after(time.Second), golden(t)[0]); err != nil {
			t.Fatal(err)
		}
		if w := s.Wake(); !w.Equal(after(16 * time.Second)) {
			t.Errorf("wake %v", w)
		}
		if err := s.Tick(after(16 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := string(s.TakeOut()); !strings.Contains(got, `"method":"echo"`) {
			t.Errorf("after silence it sends %q", got)
		}
		if _, err := s.Receive(after(17*time.Second),
			[]byte(`{"id":2,"result":["libovsdb echo"],"error":null}`)); err != nil {
			t.Fatal(err)
		}
		if err := s.Tick(after(32 * time.Second)); err != nil || s.TakeOut() == nil {
			t.Errorf("the second silence: %v", err)
		}
		if err := s.Tick(after(42 * time.Second)); !errors.Is(err, errNoAnswer) {
			t.Errorf("an echo without answer: %v", err)
		}
	})
	t.Run("a byte at a time", func(t *testing.T) {
		s := newSession(t)
		if _, err := s.Receive(start, golden(t)[0]); err != nil {
			t.Fatal(err)
		}
		for i := range 29 {
			now := after(time.Duration(i+1) * time.Second)
			if _, err := s.Receive(now, golden(t)[1][i:i+1]); err != nil {
				t.Fatal(err)
			}
			if err := s.Tick(now); err != nil && !errors.Is(err, errNoAnswer) {
				t.Fatal(err)
			}
		}
		if err := s.Tick(after(31 * time.Second)); !errors.Is(err, errSlow) {
			t.Errorf("after 30 s: %v", err)
		}
	})
}

// FuzzSession: no bytes panic, and what is kept stays bounded.
func FuzzSession(f *testing.F) {
	for _, m := range golden(f) {
		f.Add(m)
	}
	f.Add([]byte(reply("Bridge", `{"new":{"name":["set",[]],"controller":["uuid","x"]}}`)))
	f.Add([]byte(`{"id":1,"result":{},"error":null}{"method":"update","params":["eosin",{"Bridge":null}],"id":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, pieces := newSession(t), newSession(t)
		_, err := whole.Receive(start, b)
		for piece := range slices.Chunk(b, 5) {
			if _, perr := pieces.Receive(start, piece); perr != nil {
				if err == nil {
					t.Fatalf("in pieces: %v", perr)
				}
				return
			}
		}
		if err != nil {
			t.Fatalf("as a whole only: %v", err)
		}
		if a, b := summary(whole.Bridges()), summary(pieces.Bridges()); !slices.Equal(a, b) {
			t.Errorf("as a whole %q, in pieces %q", a, b)
		}
	})
}
