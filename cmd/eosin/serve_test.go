package main

import (
	"strings"
	"testing"

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
		err := stillGuarded(parse(c.next), parse(c.started).HTTP)
		if (err == nil) != c.ok {
			t.Errorf("started with %q, now %q: %v", c.started, c.next, err)
		}
		if err != nil && !strings.Contains(err.Error(), "0.0.0.0:1") {
			t.Errorf("%v", err)
		}
	}
}
