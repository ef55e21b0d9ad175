package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Load reads and checks a file. An error about its content is an Errors; one from the file system is wrapped.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	// One byte more than allowed is enough for Parse to refuse the rest, however large it is.
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, data)
}

// Parse checks the content of a file. The name is used in errors, and relative file names inside are taken from its folder.
// The error is an Errors with everything that is wrong, sorted by line. Empty content gives Default.
//
//  1. The text is bounded and turned into a tree by the YAML library; what is wrong here is the only thing reported.
//  2. Sections are read in the order in which they need each other: networks first, then what names them.
//  3. Findings are sorted by line.
func Parse(name string, data []byte) (*Config, error) {
	r := &reader{file: name}
	c := Default()
	c.File = name
	if root, ok := r.parse(data); ok { // 1
		r.config(c, root) // 2
	}
	if errs := r.sorted(r.errors); len(errs) > 0 { // 3
		if r.dropped > 0 {
			errs = append(errs, Error{name, errs[len(errs)-1].Line, fmt.Sprintf("and %d errors more", r.dropped)})
		}
		return nil, errs
	}
	c.Warnings = r.sorted(r.warnings)
	c.Files = r.files
	return c, nil
}

func (r *reader) config(c *Config, root value) {
	top := r.object(root, "openflow", "http", "ovsdb", "networks", "defaults", "switches", "learning", "limits", "hosts", "probes", "probing", "audit")
	r.networks(c, top["networks"])
	r.defaults(c, top["defaults"])
	r.openflow(c, top["openflow"])
	r.http(c, top["http"])
	r.ovsdb(c, top["ovsdb"])
	r.tlsUsers()
	r.switches(c, top["switches"])
	r.learning(c, top["learning"])
	r.limits(c, top["limits"])
	r.hosts(c, top["hosts"])
	r.probes(c, top["probes"])
	r.probing(c, top["probing"])
	r.audit(c, top["audit"])
}

// fileName takes a relative name from the folder of the config file.
func (r *reader) fileName(v value) string {
	s, ok := r.text(v)
	switch {
	case !ok:
		return ""
	case s == "":
		r.errorf(v, "is empty; write the name of a file")
		return ""
	case !filepath.IsAbs(s):
		s = filepath.Join(filepath.Dir(r.file), s)
	}
	r.files = append(r.files, NamedFile{Key: v.path, Path: s, Line: v.line})
	return s
}

func (r *reader) openflow(c *Config, v value) {
	o := r.object(v, "listen", "connect", "role", "tls")
	if l, ok := o["listen"]; ok {
		c.OpenFlow.Listen = r.endpoints(l, ParseListen)
	}
	c.OpenFlow.Connect = r.endpoints(o["connect"], ParseConnect)
	if role, ok := r.text(o["role"]); ok {
		c.OpenFlow.Role = Role(role)
		if c.OpenFlow.Role != RoleMaster && c.OpenFlow.Role != RoleEqual {
			r.errorf(o["role"], "%s is not a role that Eosin can take; use %s or %s", quote(role), RoleMaster, RoleEqual)
		}
	}
	tls, ok := o["tls"]
	if !ok {
		return
	}
	r.tlsSeen = true
	files := r.object(tls, "cert", "key", "ca")
	for _, key := range []string{"cert", "key", "ca"} {
		if _, ok := files[key]; !ok {
			r.errorf(tls, "%s is missing; TLS is mutual and needs cert, key and ca, as made by ovs-pki", key)
		}
	}
	c.OpenFlow.TLS = TLS{Cert: r.fileName(files["cert"]), Key: r.fileName(files["key"]), CA: r.fileName(files["ca"])}
}

func (r *reader) ovsdb(c *Config, v value) {
	c.OVSDB.Connect = r.endpoints(r.object(v, "connect")["connect"], ParseConnect)
}

// endpoints reads a list of addresses, none of them twice.
func (r *reader) endpoints(v value, parse func(string) (Endpoint, error)) []Endpoint {
	var list []Endpoint
	seen := map[Endpoint]bool{}
	items, _ := r.list(v)
	for _, item := range items {
		s, ok := r.text(item)
		if !ok {
			continue
		}
		e, err := parse(s)
		switch {
		case err != nil:
			r.errorf(item, "%w", err)
		case seen[e]:
			r.errorf(item, "%s is written twice; remove one", quote(s))
		default:
			seen[e] = true
			list = append(list, e)
			if e.Kind == SSL {
				r.sslUsers = append(r.sslUsers, item)
			}
		}
	}
	return list
}

// tlsUsers refuses ssl endpoints where the file has no TLS section.
func (r *reader) tlsUsers() {
	for _, v := range r.sslUsers {
		if !r.tlsSeen {
			r.errorf(v, "ssl needs openflow.tls; add tls: {cert: FILE, key: FILE, ca: FILE} to openflow, or use tcp")
		}
	}
}

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
	token, hasToken := o["token_file"]
	c.HTTP.TokenFile = r.fileName(token)
	c.HTTP.Insecure, _ = r.boolean(o["insecure"])
	_, hasCA := r.httpTLS(c, o["tls"])["ca"]
	if hasToken || hasCA {
		// What is wrong with them has been said, and nothing else is asked for.
	} else if err := c.HTTP.check(); err != nil {
		r.errorf(l, "%w", err) // only a listen of the file can be beyond loopback
	}
	if text := c.HTTP.warning(); text != "" {
		r.warnf(l, "%s", text)
	}
}

// httpTLS reads the files of HTTPS and returns those that were named.
func (r *reader) httpTLS(c *Config, v value) map[string]value {
	if v.node == nil {
		return nil
	}
	mark := len(r.errors)
	files := r.object(v, "cert", "key", "ca")
	mistyped := len(r.errors) > mark // then what is missing is most likely that
	for _, key := range []string{"cert", "key"} {
		if _, ok := files[key]; !ok && !mistyped {
			r.errorf(v, "%s is missing; HTTPS needs cert and key, and with ca clients must show a certificate, too", key)
		}
	}
	c.HTTP.TLS = TLS{Cert: r.fileName(files["cert"]), Key: r.fileName(files["key"]), CA: r.fileName(files["ca"])}
	return files
}

// check refuses an API that anybody on the network could use.
func (h HTTP) check() error {
	if isLoopback(h.Listen) || h.TokenFile != "" || h.TLS.CA != "" || h.Insecure {
		return nil
	}
	return fmt.Errorf("%s is reachable from other machines; add http.token_file, or http.tls with a ca that clients' certificates come from, or say http.insecure: true, or listen on 127.0.0.1", quote(h.Listen))
}

// warning is about a token that whoever listens on the network can read and use. Who says insecure knows.
func (h HTTP) warning() string {
	if isLoopback(h.Listen) || h.TokenFile == "" || !h.TLS.IsZero() || h.Insecure {
		return ""
	}
	return fmt.Sprintf("%s: the token crosses the network where everybody on the way can read it; add http.tls: {cert: FILE, key: FILE}", quote(h.Listen))
}

// WithOpenFlowListen returns a copy that listens on other endpoints, as a command line flag asks.
func (c *Config) WithOpenFlowListen(endpoints ...string) (*Config, error) {
	changed := *c
	changed.OpenFlow.Listen = nil
	for _, s := range endpoints {
		e, err := ParseListen(s)
		if err != nil {
			return nil, err
		}
		if e.Kind == SSL && c.OpenFlow.TLS.IsZero() {
			return nil, fmt.Errorf("%s: ssl needs openflow.tls in the config file", quote(s))
		}
		changed.OpenFlow.Listen = append(changed.OpenFlow.Listen, e)
	}
	return &changed, nil
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
		changed.Warnings = slices.DeleteFunc(slices.Clone(c.Warnings), func(e Error) bool { return strings.HasSuffix(e.Message, oneLine(was)) })
	}
	if text := changed.HTTP.warning(); text != "" {
		changed.Warnings = append(slices.Clip(changed.Warnings), Error{Message: "--http-listen " + text})
	}
	return &changed, nil
}
