package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/config"
)

// A reload leaves nobody's door open: HTTP goes on listening where it did.
func TestStillGuarded(t *testing.T) {
	parse := func(text string) *config.Config {
		c, err := config.Parse("eosin.yaml", []byte("http: {"+text+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const away, home = "listen: '0.0.0.0:1', ", "listen: '127.0.0.1:1', "
	const mutual, plain = "tls: {cert: c, key: k, ca: a}", "tls: {cert: c, key: k}"
	for _, c := range []struct {
		started, next string
		ok            bool
	}{
		{away + "token_file: t", away + "token_file: u", true},
		{away + "token_file: t", home, false},
		{away + "token_file: t", home + "token_file: t", true},
		{away + "token_file: t", home + "insecure: true", true},
		{away + "token_file: t", away + mutual, false}, // the listener demands no certificates until the next start
		{away + mutual, away + "token_file: t, " + plain, true},
		{away + mutual, home, true}, // it still demands certificates
		{home + "token_file: t", home, true},
		{home, away + "token_file: t", true},
	} {
		err := checkAuth(parse(c.next), parse(c.started).HTTP)
		if (err == nil) != c.ok {
			t.Errorf("started with %q, now %q: %v", c.started, c.next, err)
		}
		if err != nil && !strings.Contains(err.Error(), "0.0.0.0:1") {
			t.Errorf("%v", err)
		}
	}
}

// What a reload does not apply at once is told: listeners for as long as they differ from those of the start, the role when it changes.
func TestLater(t *testing.T) {
	parse := func(text string) *config.Config {
		c, err := config.Parse("eosin.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const plain, elsewhere, equal = "", "openflow: {listen: ['tcp:127.0.0.1:1']}\n", "openflow: {role: equal}\n"
	const web = "http: {listen: '127.0.0.1:1'}\n"
	const listeners, role = "listeners", "openflow.role"
	for name, c := range map[string]struct {
		started, running, next string
		want                   []string
	}{
		"nothing":                     {plain, plain, "audit: {interval: 1s}\n", nil},
		"a listener":                  {plain, plain, elsewhere, []string{listeners}},
		"a listener, a second time":   {plain, elsewhere, elsewhere, []string{listeners}},
		"a listener, as at the start": {plain, elsewhere, plain, nil},
		"where HTTP listens":          {plain, plain, web, []string{listeners}},
		"the role":                    {plain, plain, equal, []string{role}},
		"the role, a second time":     {plain, equal, equal, nil},
		"both":                        {equal, equal, elsewhere, []string{role, listeners}},
	} {
		got := restartNotes(parse(c.started), parse(c.running), parse(c.next))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
			continue
		}
		for i, w := range c.want {
			if !strings.Contains(got[i], w) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

// A standard error that nobody reads does not keep the program from ending.
func TestServeEndsWithBlockedStderr(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { // ends with ctx
		ended <- run(ctx, []string{
			"serve", "--http-listen", "127.0.0.1:0", "--openflow-listen", "unix:" + t.TempDir() + "/of.sock",
		}, func(string) string { return "" }, strings.NewReader(""), io.Discard, w)
	}()
	if _, err := r.Read(make([]byte, 1)); err != nil { // the first line is being written, and nobody reads on
		t.Fatal(err)
	}
	cancel()
	select {
	case status := <-ended:
		if status != 0 {
			t.Errorf("exit status %d", status)
		}
	case <-time.After(5 * time.Second):
		t.Error("it has not ended within 5 s")
	}
}
