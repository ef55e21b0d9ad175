package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
)

// follow opens a stream of events and returns its lines.
func follow(t *testing.T, url string, headers ...string) (*bufio.Scanner, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %v", response.Status, response.Header)
	}
	return bufio.NewScanner(response.Body), cancel
}

// until reads lines up to the first with a prefix and returns the rest of that line.
func until(t *testing.T, lines *bufio.Scanner, prefix string) string {
	t.Helper()
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), prefix); found {
			return rest
		}
	}
	t.Fatalf("the stream ended before %q: %v", prefix, lines.Err())
	return ""
}

func TestEventsAsTheyCome(t *testing.T) {
	b, url := lab(t)
	lines, _ := follow(t, url+"/api/v1/events")
	until(t, lines, ": eosin events")
	waitForSubscriber(t, b)
	b.Publish(api.Event{Type: "host_moved", Message: "vm1 moved\nfast", Host: "vm1"})
	id := until(t, lines, "id: ")
	if got := until(t, lines, "event: "); got != "host_moved" {
		t.Errorf("event %q", got)
	}
	var e api.Event
	if err := json.Unmarshal([]byte(until(t, lines, "data: ")), &e); err != nil {
		t.Fatal(err)
	}
	if strconv.FormatUint(e.ID, 10) != id || e.Message != "vm1 moved\nfast" || e.Level != "info" || e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
}

// waitForSubscriber waits until the server has subscribed, so that what is published next is delivered.
func waitForSubscriber(t *testing.T, b *apitest.Backend) {
	t.Helper()
	for range 500 {
		if b.Subscribers() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nobody subscribed")
}

func TestEventsGoOnWhereTheyWere(t *testing.T) {
	b, url := lab(t)
	all := b.Events(0)
	for _, c := range []struct {
		query, header string
		want          uint64
	}{
		{"?after=0", "X-None: 1", all[0].ID},
		{"", fmt.Sprintf("Last-Event-ID: %d", all[0].ID), all[1].ID},
		{"?after=0", fmt.Sprintf("Last-Event-ID: %d", all[0].ID), all[1].ID}, // the header has precedence
	} {
		lines, stop := follow(t, url+"/api/v1/events"+c.query, c.header)
		if got := until(t, lines, "id: "); got != strconv.FormatUint(c.want, 10) {
			t.Errorf("%+v: first id %s", c, got)
		}
		stop()
	}
	wantProblem(t, ask(t, "GET", url+"/api/v1/events", "", "Last-Event-ID: x"), 422, api.CodeInvalid)
}

func TestEventsAsList(t *testing.T) {
	_, url := lab(t)
	golden(t, "events.json", indent(t, ask(t, "GET", url+"/api/v1/events", "", "Accept: application/json").body))
	if got := ask(t, "GET", url+"/api/v1/events?after=9999999999999999", "", "Accept: application/json").body; got != "[]\n" {
		t.Errorf("%q", got)
	}
}

func TestHeartbeatAndLimit(t *testing.T) {
	url := serve(t, apitest.Lab(), func(o *api.Options) { o.Limits.Heartbeat, o.Limits.Streams = 20*time.Millisecond, 1 })
	lines, stop := follow(t, url+"/api/v1/events")
	until(t, lines, ": alive")
	until(t, lines, ": alive")
	a := ask(t, "GET", url+"/api/v1/events", "")
	wantProblem(t, a, http.StatusTooManyRequests, api.CodeTooMany)
	stop()
}

func TestSlowReaderOfEventsIsDropped(t *testing.T) {
	b := apitest.Lab()
	address, _ := listen(t, b, api.Limits{StreamBuffer: 4, WriteTimeout: 300 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
	waitForSubscriber(t, b)
	text := strings.Repeat("x", 64<<10)
	for range 1000 { // more than the sockets hold
		b.Publish(api.Event{Type: "flood", Message: text})
	}
	for range 300 {
		if b.Subscribers() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := b.Subscribers(); n != 0 {
		t.Errorf("%d subscribers left", n)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Error("the connection is still open")
		}
	}
}

func TestEventLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		log := api.NewEventLog(3, start)
		first := uint64(start.UnixMicro())
		for i := range 5 {
			log.Publish(api.Event{Type: strconv.Itoa(i)})
		}
		kept := log.Events(0)
		if len(kept) != 3 || kept[0].Type != "2" || kept[0].ID != first+2 || kept[2].ID != first+4 || !kept[0].Time.Equal(start) {
			t.Errorf("%+v", kept)
		}
		if got := log.Events(first + 3); len(got) != 1 || got[0].Type != "4" {
			t.Errorf("after %d: %+v", first+3, got)
		}
		if got := log.Events(first + 4); len(got) != 0 {
			t.Errorf("after the last: %+v", got)
		}
		live := log.Subscribe(0, false, 2)
		replayed := log.Subscribe(first+2, true, 1)
		if len(live.Backlog) != 0 || len(replayed.Backlog) != 2 {
			t.Errorf("backlogs of %d and %d", len(live.Backlog), len(replayed.Backlog))
		}
		log.Publish(api.Event{Type: "5"})
		log.Publish(api.Event{Type: "6"}) // one more than replayed holds
		if e, open := <-replayed.Events(); !open || e.Type != "5" {
			t.Errorf("%v %v", e, open)
		}
		if e, open := <-replayed.Events(); open {
			t.Errorf("the slow one is not dropped, got %v", e)
		}
		if e := <-live.Events(); e.Type != "5" {
			t.Errorf("%v", e)
		}
		if e := <-live.Events(); e.Type != "6" {
			t.Errorf("%v", e)
		}
		live.Close()
		live.Close()
		replayed.Close()
		if _, open := <-live.Events(); open || log.Subscribers() != 0 {
			t.Error("closed, and still subscribed")
		}
	})
}

func TestEventLogIsSafe(t *testing.T) {
	log := api.NewEventLog(10, time.Now())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				log.Publish(api.Event{Type: "x"})
			}
		})
		all.Go(func() {
			for range 100 {
				s := log.Subscribe(0, true, 5)
				for i := range s.Backlog[1:] {
					if s.Backlog[i+1].ID != s.Backlog[i].ID+1 {
						t.Error("out of order")
					}
				}
				<-s.Events()
				s.Close()
			}
		})
		log.Publish(api.Event{Type: "first"})
	}
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	feeding.Go(func() { // keeps the readers above from waiting for ever
		for {
			select {
			case <-stop:
				return
			default:
				log.Publish(api.Event{Type: "feed"})
			}
		}
	})
	all.Wait()
	close(stop)
	feeding.Wait()
}
