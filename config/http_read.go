package config

import (
	"fmt"
	"slices"
	"strings"
)

func (r *reader) http(c *Config, v value) {
	o := r.object(v, "listen", "token_file", "tls", "insecure")
	l := o["listen"]
	if s, ok := r.text(l); ok {
		if err := checkHostPort(s, 0); err != nil {
			r.errorf(l, "%w", err)
		} else {
			c.HTTP.Listen = s
		}
	}
	c.HTTP.Insecure, _ = r.boolean(o["insecure"])
	mark := len(r.errors)
	c.HTTP.TokenFile = r.fileName(o["token_file"])
	if tls, ok := o["tls"]; ok {
		c.HTTP.TLS = r.tls(tls, "HTTPS needs cert and key, and with ca clients must show a certificate, too", "cert",
			"key")
	}
	if err := c.HTTP.check(); err != nil {
		r.missing(l, mark, "%w", err) // only a listen of the file can be beyond loopback
	}
	if text := c.HTTP.warning(); text != "" {
		r.warnf(l, "%s", text)
	}
}

// check refuses an API without authentication beyond loopback.
func (h HTTP) check() error {
	if isLoopback(h.Listen) || h.TokenFile != "" || h.TLS.CA != "" || h.Insecure {
		return nil
	}
	return fmt.Errorf("%s is reachable from other machines; add http.token_file, or http.tls with a ca that clients' "+
		"certificates come from, or say http.insecure: true, or listen on 127.0.0.1", quote(h.Listen))
}

// warning is about a token that crosses the network in the clear, unless that is accepted with insecure.
func (h HTTP) warning() string {
	if isLoopback(h.Listen) || h.TokenFile == "" || !h.TLS.IsZero() || h.Insecure {
		return ""
	}
	return fmt.Sprintf("%s: the token crosses the network where everybody on the way can read it; add http.tls: "+
		"{cert: FILE, key: FILE}", quote(h.Listen))
}

// WithHTTPListen returns a copy that serves HTTP elsewhere, as a command line flag asks.
func (c *Config) WithHTTPListen(hostPort string) (*Config, error) {
	if err := checkHostPort(hostPort, 0); err != nil {
		return nil, err
	}
	changed := *c
	changed.HTTP.Listen = hostPort
	if err := changed.HTTP.check(); err != nil {
		return nil, err
	}
	if was := c.HTTP.warning(); was != "" {
		changed.Warnings = slices.DeleteFunc(slices.Clone(c.Warnings),
			func(e Error) bool { return strings.HasSuffix(e.Message, oneLine(was)) })
	}
	if text := changed.HTTP.warning(); text != "" {
		changed.Warnings = append(slices.Clip(changed.Warnings), Error{Message: "--http-listen " + text})
	}
	return &changed, nil
}
